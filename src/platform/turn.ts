/** Lets everybody else have a turn: for work in pieces that never waits for anything else. */
export const turnOfTheLoop = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
