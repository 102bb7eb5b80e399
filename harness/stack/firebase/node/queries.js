// What the emulator leaves out of a query without a word, and whoever reads a whole store needs: the order by a
// document's name, cursors on it, and collection groups. It answers a cursor that it does not know with all documents
// from the first on, so that a reader by pages would never come to its end. And a document that is written whole
// (without a mask) loses the fields that it had and is not given again, as in Firestore; the emulator would keep them.
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

exports.complete = (state) => {
  replaced(state);
  const plain = state.v1Query.bind(state);
  const everywhere = (parent, query, from) => {
    const [, project, , database] = parent.split("/");
    const root = state.getProject(project).getDatabase(database);
    const one = Object.create(query, { from: { value: [{ collection_id: from.collection_id }] } });
    return group(root.collections, from.collection_id)
      .map((collection) => collection.getPath())
      .filter((path) => path.startsWith(`${parent}/`))
      .flatMap((path) => plain(path.slice(0, path.lastIndexOf("/")), one));
  };
  state.v1Query = (parent, query) => {
    const [from] = query.from;
    const [order, second] = query.order_by;
    const named = order !== undefined && second === undefined && order.field.field_path === NAME;
    if (!named && !from.all_descendants) return plain(parent, query);
    const whole = Object.create(query, { has_limit: { value: false }, ...(named && { order_by: { value: [] } }) });
    let found = from.all_descendants ? everywhere(parent, whole, from) : plain(parent, whole);
    if (named) {
      const sign = order.direction === 2 ? -1 : 1;
      const at = (document, cursor) => sign * compared(split(document), reference(cursor));
      if (query.has_start_at) {
        const { start_at: cursor } = query;
        found = found.filter((one) => (cursor.before ? at(one, cursor) >= 0 : at(one, cursor) > 0));
      }
      if (query.has_end_at) {
        const { end_at: cursor } = query;
        found = found.filter((one) => (cursor.before ? at(one, cursor) < 0 : at(one, cursor) <= 0));
      }
      found = found.slice().sort((one, other) => sign * compared(split(one), split(other)));
    }
    return query.has_limit ? found.slice(0, query.limit.value) : found;
  };
};
