"""The message engine: wakes the neurons, and passes them what comes from outside."""

import asyncio
import weakref
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..activations import activation
from ..checks import ALL_HOPS, hops_limit, numbers, remembered_cycle
from ..network import Network
from .neuron import OUTSIDE, Activity, Answer, InputNeuron, Neuron


class MessageNetwork:
    """The neurons of a network as asyncio tasks that send each other messages; its methods are those of `Network`.

    Hundreds of times slower than the kernels: for reading, teaching and checking. Computes in float64 whatever the dtype of
    the network it is made from.

    Parameters
    ----------
    net
        The network to take neurons, connections, moments and rule from. It is left as it is; remembered cycles are not
        taken over.

    Raises
    ------
    ValueError
        If the rule grows connections at random, which neurons without a common random number generator cannot repeat.
    """

    def __init__(self, net: Network) -> None:
        if net.rule.growth == "random" and net.rule.growth_probability > 0:
            raise ValueError("the message engine grows no connections: set growth='none' or growth_probability=0")
        self.rule, self.layers, self.output_ids = net.rule, net.layers, net.output_ids
        self._outside: list[tuple[int, int]] = net.arrays.inputs.T.tolist()
        self._neurons: dict[int, InputNeuron] = {}
        own = {function.name: function for function in net.custom}
        for layer in net.layers:
            free = net.rule.constraint == "free" and layer.kind != "input"
            function = own.get(layer.activation) or activation(layer.activation, free=free)
            for j in layer.ids:
                self._neurons[j] = InputNeuron(j) if layer.kind == "input" else Neuron(net, j, function)
        place = {j: position for position, layer in enumerate(net.layers) for j in layer.ids}
        for j, neuron in self._neurons.items():
            if isinstance(neuron, Neuron):
                for i in net.allowed(j).tolist():
                    source = self._neurons[i]
                    neuron.sources[i] = source
                    source.axon.append(neuron)
                    if isinstance(source, Neuron) and place[i] >= place[j]:
                        neuron.recurrent.add(i)
        self._memory = net.memory.output.shape[0] - 1
        self._loop = asyncio.new_event_loop()
        weakref.finalize(self, self._loop.close)
        self.reset()

    def propagate(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """Run one cycle, see `Network.propagate`."""
        free = self.rule.constraint == "free"
        values = numbers("inputs", inputs, np.float64, (len(self._outside),), finite=free)
        values = values if free else np.clip(values, 0, 1)
        for (direct, complement), x in zip(self._outside, values.tolist(), strict=True):
            self._neurons[direct].tell(Activity(OUTSIDE, x))
            if complement >= 0:
                self._neurons[complement].tell(Activity(OUTSIDE, 1 - x))
        self._wake(*(neuron.fire() for neuron in self._neurons.values()))
        self.cycles += 1
        return self.outputs

    def reinforce(self, rewards: ArrayLike, *, hops: int = ALL_HOPS, cycle: int = 0) -> None:
        """Reward the output neurons for a remembered cycle, see `Network.reinforce`."""
        values = numbers("rewards", rewards, np.float64, (len(self.output_ids),), finite=True).tolist()
        remembered = min(self.cycles, self._memory)
        ago = remembered_cycle(cycle, remembered)
        limit, cycles = hops_limit(hops), remembered - ago
        for j, reward in zip(self.output_ids, values, strict=True):
            self._neurons[j].tell(Answer(OUTSIDE, reward, limit))
            for _ in range(cycles - 1):
                self._neurons[j].tell(Answer(OUTSIDE))
        self._wake(*(neuron.learn(cycles, ago) for neuron in self._neurons.values()))

    def reset(self) -> None:
        """Forget all remembered cycles; strengths stay."""
        self.cycles = 0
        for neuron in self._neurons.values():
            neuron.clear()

    @property
    def outputs(self) -> NDArray[np.float64]:
        """Outputs (o,) of the output neurons in the last cycle; zeros before the first."""
        memories = [self._neuron(j).memory for j in self.output_ids]
        return np.array([memory[-1].output if memory else 0.0 for memory in memories])

    def sources(self, neuron: int) -> NDArray[np.int64]:
        """Ids of the neurons that `neuron` is connected to, ascending."""
        return np.array(sorted(self._neuron(neuron).strengths), np.int64)

    def strengths(self, neuron: int) -> NDArray[np.float64]:
        """Strengths of `neuron`'s connections, in the order of `sources`."""
        strengths = self._neuron(neuron).strengths
        return np.array([strengths[i] for i in sorted(strengths)])

    def threshold(self, neuron: int) -> float:
        """Threshold of a relu or sigmoid neuron, 0 for the others."""
        return self._neuron(neuron).threshold

    def write_to(self, net: Network) -> None:
        """Give the network these neurons came from the strengths and thresholds they have now."""
        arrays = net.arrays
        for j, neuron in self._neurons.items():
            if isinstance(neuron, Neuron):
                row = slice(int(arrays.first[j]), int(arrays.first[j + 1]))
                connected = np.array([i in neuron.strengths for i in arrays.source[row].tolist()], bool)
                order = np.argsort(~connected, kind="stable")  # the connected sources stand first
                arrays.link[:, row] = arrays.link[:, row][:, order]
                arrays.connection[:, row] = arrays.connection[:, row][:, order]
                arrays.strength[row] = [neuron.strengths.get(i, 0.0) for i in arrays.source[row].tolist()]
                arrays.degree[j] = len(neuron.strengths)
                arrays.threshold[j] = neuron.threshold

    def _neuron(self, number: int) -> Neuron:
        neuron = self._neurons.get(number)
        if not isinstance(neuron, Neuron):
            known = sorted(j for j, other in self._neurons.items() if isinstance(other, Neuron))
            raise ValueError(f"there is no learning neuron {number}: their ids are {known[0]} to {known[-1]}")
        return neuron

    def _wake(self, *lives: Coroutine[Any, Any, None]) -> None:
        async def live() -> None:
            async with asyncio.TaskGroup() as tasks:
                for life in lives:
                    tasks.create_task(life)

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._loop.run_until_complete(live())
        else:  # as in a notebook: an event loop cannot run inside another one
            with ThreadPoolExecutor(1) as thread:
                thread.submit(self._loop.run_until_complete, live()).result()
