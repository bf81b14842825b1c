/** What `accept` made of a message, in SMTP's words. */
import { type Reply, reply } from '../../platform/smtp/replies.ts';
import { StoreBusyError, StoreFullError } from '../../store/contract/store.ts';
import { type Acceptance, RefusedError, type RefusalReason } from '../draft.ts';

/** The ids are consecutive, so the first and the last tell all. */
export function acceptedReply({ messageIds }: Acceptance): Reply {
  const [first] = messageIds;
  const last = messageIds.at(-1);
  if (first === undefined) throw new Error('a message was accepted for nobody');
  return reply(250, '2.0.0', first === last ? `queued as ${first}` : `queued as ${first}-${last}`);
}

const codes: Readonly<Record<RefusalReason, readonly [code: number, enhancedCode: string]>> = {
  'address-invalid': [553, '5.1.3'],
  'recipients-missing': [554, '5.5.1'],
  'recipients-too-many': [452, '4.5.3'],
  'from-missing': [554, '5.6.0'],
  'sender-unverified': [550, '5.7.1'],
  'header-invalid': [554, '5.6.0'],
  'body-missing': [554, '5.6.0'],
  'message-malformed': [554, '5.6.0'],
  'options-invalid': [550, '5.6.0'],
  'message-too-large': [552, '5.3.4'],
  'idempotency-conflict': [554, '5.5.0'],
};

/** @throws what is neither a refusal nor a busy store: that is a fault of ours, and no answer to a message */
export function refusalReply(error: unknown): Reply {
  if (error instanceof RefusedError) {
    const [code, enhancedCode] = codes[error.reason];
    return reply(code, enhancedCode, error.message);
  }
  if (error instanceof StoreFullError) return reply(452, '4.3.1', 'There is no room left, try again later');
  if (error instanceof StoreBusyError)
    return reply(451, '4.3.0', 'Too much waits to be stored, try again later');
  throw error;
}
