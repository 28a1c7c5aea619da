"""RoI align that takes the largest sample of a bin, and where it was."""
import torch
from torch import Tensor
from torch.nn import functional as F

from rdkd.compat.operators.roi_samples import Grid, corners, exact, sample_axis

#: What MMCV gives for the maximum of no samples, and of smaller ones.
_LOWEST = -10000.0
#: Elements that are held at once, about.
_CHUNK = 1 << 24


def _largest(table: Tensor, rois: Tensor, grid: Grid, size: tuple[int, int]
             ) -> tuple[Tensor, Tensor, Tensor]:
    """Do it for some regions, with pixels as rows of the table (P, C)."""
    image, x1, y1, x2, y2 = rois.unbind(1)
    y = sample_axis(y1, y2, grid.size[0], grid)
    x = sample_axis(x1, x2, grid.size[1], grid)
    row, row_weight = corners(y.at, size[0])
    column, column_weight = corners(x.at, size[1])
    row = row + image.long()[:, None, None, None] * size[0]
    # (N, rows, columns, samples down, samples across, 2, 2)
    down = (slice(None), slice(None), None, slice(None), None, slice(None),
            None)
    across = (slice(None), None, slice(None), None, slice(None), None)
    pixel = row[down] * size[1] + column[across]
    weight = row_weight[down] * column_weight[across]
    used = y.used[:, :, None, :, None] & x.used[:, None, :, None, :]
    values = F.embedding_bag(
        pixel.flatten(0, 4).flatten(1), table, mode='sum',
        per_sample_weights=weight.flatten(0, 4).flatten(1).to(table.dtype))
    values = values.view(*pixel.shape[:5], table.shape[1])
    values = values.masked_fill(~used.unsqueeze(-1), -torch.inf)
    values = F.pad(values.flatten(3, 4), (0, 0, 1, 0), value=_LOWEST)
    largest, index = values.max(3)
    none, index = index == 0, (index - 1).clamp(min=0)
    places = []
    for at in (y.at[:, :, None, :, None], x.at[:, None, :, None, :]):
        at = at.expand(pixel.shape[:5]).flatten(3)
        at = F.pad(at, (0, int(at.shape[3] == 0))).unsqueeze(-1)
        at = at.expand(*at.shape[:4], values.shape[4])
        place = at.gather(3, index.unsqueeze(3)).squeeze(3)
        places.append(place.masked_fill(none, -1).permute(0, 3, 1, 2))
    return largest.permute(0, 3, 1, 2), places[0], places[1]


def roi_align_max(features: Tensor, rois: Tensor, grid: Grid
                  ) -> tuple[Tensor, Tensor, Tensor]:
    """Take the largest bilinear sample in each bin of each region.

    Args:
        features (Tensor): Maps of shape (B, C, H, W).
        rois (Tensor): Image and corners (x1, y1, x2, y2) in the image's
            pixels, shape (N, 5).
        grid (Grid): How they are sampled.

    Returns:
        tuple[Tensor, Tensor, Tensor]: The samples and their coordinates y
        and x on the map, each of shape (N, C, rows, columns).  A bin without
        samples has -10000 at -1, as in MMCV.
    """
    rois, channels = exact(rois), features.shape[1]
    table = exact(features).permute(0, 2, 3, 1).reshape(-1, channels)
    spans = (rois[:, 3:] - rois[:, 1:3]).clamp(min=0) * grid.scale
    spans = spans / spans.new_tensor(grid.size[::-1])
    samples = (spans + 1).ceil().prod(1).max() if len(rois) else 1
    each = grid.ratio ** 2 if grid.ratio > 0 else int(samples)
    bins = grid.size[0] * grid.size[1]
    step = max(1, _CHUNK // max(1, bins * each * channels))
    size = (features.shape[2], features.shape[3])
    found = [_largest(table, part, grid, size) for part in rois.split(step)]
    largest, y, x = (torch.cat(part) for part in zip(*found, strict=True))
    return largest.to(features.dtype), y, x


def roi_align_max_gradient(gradient: Tensor, rois: Tensor, y: Tensor,
                           x: Tensor, result: Tensor) -> None:
    """Give the gradient of :func:`roi_align_max` with respect to the maps.

    Args:
        gradient (Tensor): That of its first result, (N, C, rows, columns).
        rois (Tensor): As given to it.
        y (Tensor): Its second result.
        x (Tensor): Its third result.
        result (Tensor): Contiguous zeros of the maps' shape; written to.
    """
    _, channels, height, width = result.shape
    row, row_weight = corners(exact(y), height)
    column, column_weight = corners(exact(x), width)
    plane = rois[:, 0].long()[:, None] * channels + torch.arange(
        channels, device=rois.device)
    row = row + plane[:, :, None, None, None] * height
    pixel = row.unsqueeze(-1) * width + column.unsqueeze(-2)
    weight = row_weight.unsqueeze(-1) * column_weight.unsqueeze(-2)
    weight = weight * (y != -1)[..., None, None]
    sums = torch.zeros_like(result, dtype=weight.dtype).view(-1)
    sums.index_add_(0, pixel.flatten(),
                    (weight * gradient[..., None, None]).flatten())
    result.copy_(sums.view_as(result))
