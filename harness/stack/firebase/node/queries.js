// What the emulator leaves out of a query without a word, and whoever reads a whole store needs: the order by a
// document's name, cursors on it, collection groups, and a choice of fields. It answers a cursor that it does not know
// with all documents from the first on, so that a reader by pages would never come to its end. And of writes: a document
// that is written whole (without a mask) loses the fields that it had and is not given again, as in Firestore, where the
// emulator would keep them; and a write on the condition that the document was last written at some time is refused
// where it was not, which the emulator would carry out.
"use strict";
const NAME = "__name__";

// Firestore orders names by their UTF-8 bytes, segment by segment.
const segments = new WeakMap();
const split = (document) => {
  if (!segments.has(document)) segments.set(document, document.getPath().split("/").map((part) => Buffer.from(part)));
  return segments.get(document);
};
const compared = (one, other) => {
  for (let n = 0; n < Math.min(one.length, other.length); n++) {
    const order = Buffer.compare(one[n], other[n]);
    if (order) return order;
  }
  return one.length - other.length;
};
// A collection's documents by name, existing or not. The emulator would copy and freeze its map of them for each new
// name (10,000 of them took it minutes), and look at all of them for each page.
const orders = new WeakMap();
const ordered = (collection) => {
  if (!orders.has(collection)) orders.set(collection, []);
  return orders.get(collection);
};
const place = (order, key) => { // of the first that is not before the key
  let [first, last] = [0, order.length];
  while (first < last) {
    const middle = (first + last) >> 1;
    if (Buffer.compare(order[middle].key, key) < 0) first = middle + 1;
    else last = middle;
  }
  return first;
};
const kept = ({ FirestoreStateCollection: Collection, FirestoreStateDocument: Document }) => {
  Collection.prototype.getDocument = function (name) {
    if (!Object.hasOwn(this.documents, name)) {
      const document = new Document(this.emitter, this.database, this, name, {}, {});
      Object.defineProperty(this.documents, name, { value: document, enumerable: true });
      const [order, key] = [ordered(this), Buffer.from(name)];
      order.splice(place(order, key), 0, { key, document });
    }
    return this.documents[name];
  };
};
// Documents with the chosen fields alone, and with their own times.
const chosen = (documents, { fields }) => {
  const names = new Set(fields.map((each) => each.field_path));
  const only = (held) => Object.fromEntries(Object.entries(held).filter(([name]) => names.has(name)));
  return documents.map((one) => Object.create(one, { fields: { value: only(one.fields) } }));
};
const reference = (cursor) => cursor.values[0].reference_value.split("/").map((part) => Buffer.from(part));

// The collections of that id below a collection's documents, at any depth, as paths.
const group = (collections, id) =>
  Object.values(collections).flatMap((collection) => [
    ...(collection.name === id ? [collection] : []),
    ...Object.values(collection.documents).flatMap((document) => group(document.collections, id)),
  ]);

const replaced = (state) => {
  const plain = state.writeV1Document.bind(state);
  state.writeV1Document = (date, write) => {
    const result = plain(date, write);
    if (write.has_update && !write.has_update_mask) {
      const document = state.getDocument(write.update.name);
      const given = new Set([...write.update.fields.keys(), ...write.update_transforms.map((each) => each.field_path)]);
      document.fields = Object.fromEntries(Object.entries(document.fields).filter(([name]) => given.has(name)));
    }
    return result;
  };
};

const FAILED_PRECONDITION = 9;
const conditional = (state) => {
  const plain = state.writeV1Document.bind(state);
  state.writeV1Document = (date, write) => {
    if (write.has_current_document && write.current_document.has_update_time) {
      const { hasExist, updatedAt } = state.getDocument(write.has_delete ? write.delete : write.update.name).metadata;
      const { seconds, nanos } = write.current_document.update_time;
      const same = hasExist && seconds * 1e3 + nanos / 1e6 === updatedAt.getTime();
      if (!same) refuse(plain, date, write, hasExist);
    }
    return plain(date, write);
  };
};
// By the emulator's own error, whose class it does not export: that of a condition which surely does not hold.
const refuse = (plain, date, write, exists) => {
  try {
    plain(date, Object.create(write, { current_document: { value: { has_exists: true, exists: !exists } } }));
  } catch (error) {
    error.code = FAILED_PRECONDITION;
    error.message = "the stored version does not match the required base version";
    throw error;
  }
};

// In the order of their names, from the cursor on.
const page = (collection, { has_start_at, start_at, has_limit, limit }) => {
  const order = ordered(collection);
  const most = has_limit ? limit.value : order.length;
  const those = [];
  let n = 0;
  if (has_start_at) {
    const key = reference(start_at).at(-1);
    n = place(order, key);
    if (!start_at.before && n < order.length && order[n].key.equals(key)) n++;
  }
  for (; n < order.length && those.length < most; n++)
    if (order[n].document.metadata.hasExist) those.push(order[n].document);
  return those;
};

exports.complete = (state, server) => {
  kept(server);
  replaced(state);
  conditional(state);
  const emulator = state.v1Query;
  // It sorts all documents, and then takes those that match: here only these are sorted, and the answer is the same.
  const plain = (parent, query) => {
    if (!query.has_where || !query.order_by.length) return emulator.call(state, parent, query);
    const any = Object.create(query, { order_by: { value: [] }, has_limit: { value: false } });
    const matching = emulator.call(state, parent, any);
    return emulator.call({ getCollection: () => ({ getAllDocuments: () => matching }) }, parent, query);
  };
  const everywhere = (parent, query, from) => {
    const [, project, , database] = parent.split("/");
    const root = state.getProject(project).getDatabase(database);
    const one = Object.create(query, { from: { value: [{ collection_id: from.collection_id }] } });
    return group(root.collections, from.collection_id)
      .map((collection) => collection.getPath())
      .filter((path) => path.startsWith(`${parent}/`))
      .flatMap((path) => plain(path.slice(0, path.lastIndexOf("/")), one));
  };
  const found = (parent, query) => {
    const [from] = query.from;
    const [order, second] = query.order_by;
    const named = order !== undefined && second === undefined && order.field.field_path === NAME;
    if (!named && !from.all_descendants) return plain(parent, query);
    if (named && order.direction !== 2 && !from.all_descendants && !query.has_where && !query.has_end_at)
      return page(state.getCollection(`${parent}/${from.collection_id}`), query);
    const whole = Object.create(query, { has_limit: { value: false }, ...(named && { order_by: { value: [] } }) });
    let those = from.all_descendants ? everywhere(parent, whole, from) : plain(parent, whole);
    if (named) {
      const sign = order.direction === 2 ? -1 : 1;
      const at = (document, cursor) => sign * compared(split(document), reference(cursor));
      if (query.has_start_at) {
        const { start_at: cursor } = query;
        those = those.filter((one) => (cursor.before ? at(one, cursor) >= 0 : at(one, cursor) > 0));
      }
      if (query.has_end_at) {
        const { end_at: cursor } = query;
        those = those.filter((one) => (cursor.before ? at(one, cursor) < 0 : at(one, cursor) <= 0));
      }
      those = those.slice().sort((one, other) => sign * compared(split(one), split(other)));
    }
    return query.has_limit ? those.slice(0, query.limit.value) : those;
  };
  state.v1Query = (parent, query) =>
    query.has_select && query.select.fields.length > 0
      ? chosen(found(parent, query), query.select)
      : found(parent, query);
};
