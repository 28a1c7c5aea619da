"""The fusion chain: shapes, start, flow of gradients."""
import pytest
import torch

from rdkd.models.review import ChannelAdapter, ReviewFusion


def levels(channels=(8, 8, 8), requires_grad=False):
    torch.manual_seed(0)
    return [torch.randn(2, c, 16 // 2**i, 12 // 2**i,
                        requires_grad=requires_grad)
            for i, c in enumerate(channels)]


def literal_chain(module, features):
    """The review of docs/method.md for a chain without attention."""
    out = [features[-1]]
    for i in reversed(range(len(features) - 1)):
        x = features[i]
        coarser = torch.empty(*out[0].shape[:2], *x.shape[-2:])
        for row in range(x.shape[2]):
            for column in range(x.shape[3]):
                coarser[:, :, row, column] = out[0][
                    :, :, row * out[0].shape[2] // x.shape[2],
                    column * out[0].shape[3] // x.shape[3]]
        both = torch.cat([x, coarser], dim=1)
        conv = module.levels[i].fuse
        fused = torch.einsum('nchw,oc->nohw', both, conv.weight[:, :, 0, 0])
        out.insert(0, fused + conv.bias.view(1, -1, 1, 1))
    return out


@pytest.mark.parametrize('count', [1, 2, 3, 5])
def test_any_number_of_levels(count):
    module = ReviewFusion([4] * count)
    features = [torch.randn(1, 4, s, s) for s in (16, 8, 4, 2, 1)[:count]]
    out = module(features)
    assert [x.shape for x in out] == [x.shape for x in features]


def test_promise_6_the_fusion_is_the_chain_written_out():
    module = ReviewFusion([8, 8, 8], attention=False)
    for level in module.levels[:2]:
        torch.nn.init.normal_(level.fuse.weight)
        torch.nn.init.normal_(level.fuse.bias)
    features = levels()
    for found, expected in zip(module(features),
                               literal_chain(module, features), strict=True):
        torch.testing.assert_close(found, expected)


def test_it_starts_as_the_identity():
    features = levels()
    for found, given in zip(ReviewFusion([8, 8, 8])(features), features,
                            strict=True):
        torch.testing.assert_close(found, given)


def test_channels_may_change_from_level_to_level():
    out = ReviewFusion([8, 16, 4])(levels((8, 16, 4)))
    assert [x.shape[1] for x in out] == [8, 16, 4]


def test_gradient_of_a_level_reaches_it_and_all_coarser_ones():
    module = ReviewFusion([8, 8, 8], attention=False)
    for level in module.levels[:2]:
        torch.nn.init.normal_(level.fuse.weight)
    for k in range(3):
        features = levels(requires_grad=True)
        module(features)[k].sum().backward()
        reached = [f.grad is not None and f.grad.abs().sum() > 0
                   for f in features]
        assert reached == [level >= k for level in range(3)]


def test_every_parameter_gets_a_gradient_in_one_step():
    """What DDP needs with find_unused_parameters=False."""
    module = ReviewFusion([8, 8, 8])
    sum(x.square().sum() for x in module(levels())).backward()
    assert all(p.grad is not None for p in module.parameters())


def test_a_wrong_number_of_levels_is_said():
    with pytest.raises(ValueError, match='3 levels but got 2'):
        ReviewFusion([8, 8, 8])(levels()[:2])


def test_adapter_passes_equal_widths_and_converts_others():
    adapter = ChannelAdapter([8, 8, 4], [8, 16, 8])
    features = levels((8, 8, 4))
    out = adapter(features)
    assert out[0] is features[0]
    assert [x.shape[1] for x in out] == [8, 16, 8]
