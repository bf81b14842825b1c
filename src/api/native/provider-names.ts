/** Mailbox providers as the API calls them: those that have no name together are `other`. */

const other = 'other';

export const providerInside = (name: string): string => (name === other ? '' : name);
export const providerOutside = (name: string): string => (name === '' ? other : name);
