/** Which secret a store belongs to: links, return paths and encrypted settings of one are noise under another. */

export interface IdentityStore {
  /**
   * Binds a new store to the secret, and recognises it ever after.
   * @param fingerprint `SecretKeys.fingerprint`, which survives rotations
   * @returns false if the store belongs to another secret
   */
  bindSecret(fingerprint: string): Promise<boolean>;
  /**
   * Whether a submission could be stored: writes a little, durably, and looks for room for `roomBytes` more.
   * @throws StoreBusyError, StoreFullError, and what keeps the store from being written
   */
  probe(input: { nowMs: number; roomBytes: number }): Promise<void>;
}
