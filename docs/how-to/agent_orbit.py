"""An agent that corrects the orbit with the response that it has measured."""

import numpy as np

from gnomon.clients.gym import RingEnvironment

environment = RingEnvironment("orbit")
seen, info = environment.reset(seed=1)
readings = 2 * len(environment.plant.monitors)
steerers = len(environment.plant.supplies)

response = np.empty((readings, steerers))
for n in range(steerers):
    action = np.zeros(steerers, dtype=np.float32)
    action[n] = 0.1
    moved = environment.step(action)[0]
    response[:, n] = (moved - seen)[:readings] / 0.1
    seen = environment.step(-action)[0]

inverse = np.linalg.pinv(response, rcond=1e-3)
won = False
while not won:
    wanted = -inverse @ seen[:readings]
    seen, reward, won, _, info = environment.step(wanted / max(1.0, np.abs(wanted).max()))
    print(f"rms of the readings {info['error']:.3f} mm, reward {reward:.1f}")
