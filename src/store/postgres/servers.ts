/**
 * Which of the servers that a URL names is written to. The one that took a connection last is asked first; one that
 * cannot be reached, or is a standby, gives the turn to the next. So after a failover all connections lead to the server
 * that was promoted, without anybody telling this process.
 */
import type { ClientBase } from 'pg';
import { serverUrls } from '../../config/database-url.ts';
import { StoreBusyError } from '../contract/store.ts';

export class Servers {
  readonly #urls: readonly string[];
  #turn = 0;

  /** @throws Error if the URL is none */
  constructor(url: string) {
    this.#urls = serverUrls(url);
  }

  get count(): number {
    return this.#urls.length;
  }

  /** Of the server whose turn it is. */
  get url(): string {
    return this.#urls[this.#turn] ?? '';
  }

  /** It will not do. Many may say so of the same one at once: the turn moves on by one. */
  leave(url: string): void {
    if (url === this.url) this.#turn = (this.#turn + 1) % this.count;
  }

  /**
   * Asked of each new connection where there is a choice.
   * @throws StoreBusyError if what it leads to takes no writes
   */
  readonly requireWrites = async (client: ClientBase): Promise<void> => {
    if (this.count === 1) return;
    const { rows } = await client.query<{ transaction_read_only: string }>('SHOW transaction_read_only');
    if (rows[0]?.transaction_read_only !== 'off') throw new StoreBusyError('the server is a standby');
  };
}
