/** What the tests of real mail servers ask of each: it knows `ann@example.org`, and some that it treats badly. */

export interface ReceiverOptions {
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly largestBytes: number;
}

export interface Receiver extends AsyncDisposable {
  readonly port: number;
}
