"""The network of MinAtar's paper, for the policies of stable-baselines3: one convolution and one layer behind it."""

from typing import Any

import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn


class MinAtarFeatures(BaseFeaturesExtractor):
    """16 filters of 3 × 3 and 128 rectified units (Young and Tian, 2019), for observations (rows, columns, channels)."""

    def __init__(self, observation_space: Any, features_dim: int = 128) -> None:
        super().__init__(observation_space, features_dim)
        rows, columns, channels = observation_space.shape
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 16, kernel_size=3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * (rows - 2) * (columns - 2), features_dim),
            nn.ReLU(),
        )

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the features (n, features_dim) of observations (n, rows, columns, channels)."""
        return self.layers(observations.permute(0, 3, 1, 2))
