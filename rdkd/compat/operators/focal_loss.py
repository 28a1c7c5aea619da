"""Focal losses of logits (sigmoid) and of probabilities (softmax)."""
import torch
from torch import Tensor

#: The smallest positive normal float32, as in MMCV.
_TINY = torch.finfo(torch.float32).tiny


def _log(probability: Tensor) -> Tensor:
    return probability.clamp(min=_TINY).log()


def _float(tensor: Tensor) -> Tensor:
    """Half precision has no number as small as the smallest probability."""
    return tensor.float() if tensor.element_size() < 4 else tensor


def _of_class(weight: Tensor, target: Tensor) -> Tensor:
    """Give the weight of each target; the background's are 1, (N,)."""
    known = (target >= 0) & (target < len(weight))
    return torch.where(known, weight[target.clamp(0, len(weight) - 1)], 1)


def _blend(positive: Tensor, negative: Tensor, target: Tensor,
           weight: Tensor, alpha: float) -> Tensor:
    classes = torch.arange(positive.shape[1], device=target.device)
    loss = torch.where(target[:, None] == classes, -alpha * positive,
                       -(1 - alpha) * negative)
    if len(weight):
        loss = loss * _of_class(weight, target)[:, None]
    return loss


def sigmoid_focal_loss(logits: Tensor, target: Tensor, weight: Tensor,
                       gamma: float, alpha: float) -> Tensor:
    """Compute the loss of every class of every row.

    Args:
        logits (Tensor): Shape (N, C).
        target (Tensor): Classes of shape (N,), int64; others than 0 to C - 1
            are background.
        weight (Tensor): Of each class, (C,), or empty.
        gamma (float): Focusing exponent.
        alpha (float): Share of the positive class.

    Returns:
        Tensor: Shape (N, C).
    """
    p = _float(logits).sigmoid()
    return _blend((1 - p) ** gamma * _log(p), p ** gamma * _log(1 - p),
                  target, weight, alpha)


def sigmoid_focal_loss_gradient(logits: Tensor, target: Tensor,
                                weight: Tensor, gamma: float, alpha: float
                                ) -> Tensor:
    """Differentiate :func:`sigmoid_focal_loss` by the logits, (N, C)."""
    p = _float(logits).sigmoid()
    return _blend((1 - p) ** gamma * (1 - p - gamma * p * _log(p)),
                  p ** gamma * (gamma * (1 - p) * _log(1 - p) - p),
                  target, weight, alpha)


def _of_target(softmax: Tensor, target: Tensor) -> Tensor:
    return _float(softmax).gather(1, target.clamp(min=0)[:, None])[:, 0]


def _labeled(values: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    if len(weight):
        values = values * _of_class(weight, target)
    return torch.where(target >= 0, values, 0)


def softmax_focal_loss(softmax: Tensor, target: Tensor, weight: Tensor,
                       gamma: float, alpha: float) -> Tensor:
    """Compute the loss of every row.

    Args:
        softmax (Tensor): Probabilities of shape (N, C).
        target (Tensor): Classes of shape (N,), int64; negative ones have no
            loss.
        weight (Tensor): Of each class, (C,), or empty.
        gamma (float): Focusing exponent.
        alpha (float): Factor.

    Returns:
        Tensor: Shape (N,).
    """
    p = _of_target(softmax, target)
    return _labeled(-alpha * (1 - p) ** gamma * _log(p), target, weight)


def softmax_focal_loss_gradient(softmax: Tensor, target: Tensor,
                                weight: Tensor, gamma: float, alpha: float
                                ) -> tuple[Tensor, Tensor]:
    """Differentiate :func:`softmax_focal_loss` by the softmax's logits.

    Returns:
        tuple[Tensor, Tensor]: The factor of each row, (N,), and the
        gradient, (N, C).
    """
    p = _of_target(softmax, target)
    factor = alpha * (gamma * (1 - p) ** (gamma - 1) * p * _log(p)
                      - (1 - p) ** gamma)
    factor = _labeled(factor, target, weight)
    classes = torch.arange(softmax.shape[1], device=target.device)
    hit = (target[:, None] == classes).to(softmax.dtype)
    return factor, factor[:, None] * (hit - softmax)


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor,
                               output: Tensor, gamma: float, alpha: float
                               ) -> None:
    """Bind ``mmcv._ext.sigmoid_focal_loss_forward``."""
    output.copy_(sigmoid_focal_loss(input, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor,
                                weight: Tensor, grad_input: Tensor,
                                gamma: float, alpha: float) -> None:
    """Bind ``mmcv._ext.sigmoid_focal_loss_backward``."""
    grad_input.copy_(
        sigmoid_focal_loss_gradient(input, target, weight, gamma, alpha))


def softmax_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor,
                               output: Tensor, gamma: float, alpha: float
                               ) -> None:
    """Bind ``mmcv._ext.softmax_focal_loss_forward``."""
    output.copy_(softmax_focal_loss(input, target, weight, gamma, alpha))


def softmax_focal_loss_backward(input: Tensor, target: Tensor,
                                weight: Tensor, buff: Tensor,
                                grad_input: Tensor, gamma: float,
                                alpha: float) -> None:
    """Bind ``mmcv._ext.softmax_focal_loss_backward``."""
    for result, value in zip(
            (buff, grad_input),
            softmax_focal_loss_gradient(input, target, weight, gamma, alpha),
            strict=True):
        result.copy_(value)
