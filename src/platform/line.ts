/**
 * Things in the order in which they came, any of which may leave at any time: for what comes and goes thousands of times
 * a second. A `Map` or `Set` would be copied to a new table every few changes, and V8 links each old table to the next
 * one: once one of them has grown old, all that follow grow old, too, with what they held, until a full collection. Of
 * the requests of webhooks every other one was kept in that way, with all that belongs to it.
 */

/** Where one of them stands, for letting it leave. */
export class Place<Item> {
  readonly item: Item;
  before: Place<Item> | undefined;
  after: Place<Item> | undefined;
  isTaken = true;

  constructor(item: Item, before: Place<Item> | undefined) {
    this.item = item;
    this.before = before;
  }
}

export class Line<Item> {
  #first: Place<Item> | undefined;
  #last: Place<Item> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Whoever has been here longest, undefined if nobody is. */
  get first(): Item | undefined {
    return this.#first?.item;
  }

  add(item: Item): Place<Item> {
    const place = new Place(item, this.#last);
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.#length += 1;
    return place;
  }

  /** @returns whether it was still there */
  remove(place: Place<Item>): boolean {
    if (!place.isTaken) return false;
    const { before, after } = place;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // One that left keeps nobody alive.
    place.before = undefined;
    place.after = undefined;
    place.isTaken = false;
    this.#length -= 1;
    return true;
  }

  /** All of them, as they are now. */
  items(): Item[] {
    const items: Item[] = [];
    for (let place = this.#first; place !== undefined; place = place.after) items.push(place.item);
    return items;
  }
}
