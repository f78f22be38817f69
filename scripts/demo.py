"""Train on CartPole-v1, print how long it took to learn, and write two pictures: what `make demo` runs."""

import argparse
import time
from pathlib import Path

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import Report
from dynlive_rl.agents.pictures import draw_agent
from dynlive_rl.drawing import draw_learning_curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="CartPole-v1", help="environment id (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=5_000, help="environment steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the pictures (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    start = time.perf_counter()
    agent = DynLiveAgent(arguments.env, seed=arguments.seed)
    agent.warm_up()
    print(
        f"{agent.connections:,} connections, ready to learn after {time.perf_counter() - start:.1f} s of compiling or loading"
    )

    steps: list[int] = []
    returns: list[float] = []

    def remember(report: Report) -> None:
        for episode in report.finished:
            steps.append(report.agent.num_timesteps)
            returns.append(episode.episode_return)

    start = time.perf_counter()
    agent.learn(arguments.steps, callback=remember, progress_bar=True)
    seconds = time.perf_counter() - start
    evaluation = agent.evaluate(episodes=100, seed=arguments.seed)
    print(
        f"{arguments.env}: mean return {evaluation.mean:.1f} ± {evaluation.std:.1f} over 100 episodes, after "
        f"{agent.num_timesteps:,} steps and {agent.episodes} episodes in {seconds:.1f} s; "
        f"{agent.connections:,} connections are left"
    )
    curve, picture = arguments.out / "learning_curve.png", arguments.out / "network.png"
    draw_learning_curve(curve, steps, returns, title=f"{arguments.env}, seed {arguments.seed}")
    draw_agent(agent, picture)
    print(f"wrote {curve} and {picture}")


if __name__ == "__main__":
    main()
