// What a script finds around it: getContext(), __ and console. Work on documents is only queued here. The server takes
// each call with "take", does it in the script's transaction, and gives its outcome to "answer", which runs the
// callback; so a time limit holds for every line of the script. The value of this file is what the server calls.
(function (global) {
  const calls = [];
  const callbacks = new Map();
  const lines = [];
  let input = {};
  let changed = false;

  function queue(operation, link, content, options, callback) {
    if (typeof options === "function") {
      callback = options;
      options = undefined;
    }
    const id = callbacks.size + 1;
    callbacks.set(id, callback);
    calls.push({ id, operation, link, content, options: options || {} });
    return true;
  }

  const collection = {
    getSelfLink: () => input.selfLink,
    getAltLink: () => input.altLink,
    createDocument: (link, document, options, callback) => queue("create", link, document, options, callback),
    upsertDocument: (link, document, options, callback) => queue("upsert", link, document, options, callback),
    replaceDocument: (link, document, options, callback) => queue("replace", link, document, options, callback),
    readDocument: (link, options, callback) => queue("read", link, undefined, options, callback),
    deleteDocument: (link, options, callback) => queue("delete", link, undefined, options, callback),
    queryDocuments: (link, query, options, callback) => queue("query", link, query, options, callback),
    readDocuments: (link, options, callback) => queue("query", link, "SELECT * FROM c", options, callback),
  };

  function message(onChange) {
    const values = {};
    const at = (key) => (key.toLowerCase() === "body" ? "body" : key);
    const set = (key, value) => {
      values[at(key)] = value;
      onChange();
    };
    return {
      values,
      getBody: () => values.body,
      setBody: (body) => set("body", body),
      appendBody: (text) => set("body", (values.body === undefined ? "" : values.body) + String(text)),
      getValue: (key) => values[at(key)],
      setValue: set,
      appendValue: (key, value) => set(key, (values[at(key)] === undefined ? "" : values[at(key)]) + String(value)),
      getOperationType: () => input.operation,
    };
  }

  const request = message(() => (changed = true));
  const response = message(() => undefined);
  const context = {
    getCollection: () => collection,
    getRequest: () => request,
    getResponse: () => response,
    abort: (reason) => {
      throw reason;
    },
  };

  function format(first, ...rest) {
    const text = typeof first === "string" ? first : JSON.stringify(first);
    const filled = text.replace(/%[sdj]/g, (mark) => {
      if (rest.length === 0) return mark;
      const value = rest.shift();
      return mark === "%j" ? JSON.stringify(value) : String(value);
    });
    return [filled, ...rest.map(String)].join(" ");
  }

  global.getContext = () => context;
  global.__ = Object.assign(Object.create(collection), { request, response });
  global.console = { log: (...parts) => void lines.push(format(...parts)) };
  for (const level of ["info", "warn", "error"]) global.console[level] = global.console.log;

  const host = {
    begin(text) {
      input = JSON.parse(text);
      if ("request" in input) request.values.body = input.request;
      if ("response" in input) response.values.body = input.response;
      changed = false;
    },
    run: (script, parameters) => void script(...JSON.parse(parameters)),
    take: () => (calls.length === 0 ? null : JSON.stringify(calls.shift())),
    answer(id, text) {
      const { error, result, options } = JSON.parse(text);
      const callback = callbacks.get(id);
      const failure = error && Object.assign(new Error(error.message), error);
      if (callback) callback(failure || undefined, result, options || {});
      else if (failure) throw failure;
    },
    outcome: () =>
      JSON.stringify({
        body: response.values.body,
        request: changed ? request.values.body : undefined,
        log: lines.join("\n"),
      }),
    call(script, texts) {
      const value = script(...JSON.parse(texts).map((text) => (text === null ? undefined : JSON.parse(text))));
      return value === undefined ? null : JSON.stringify(value);
    },
  };
  return (name, ...given) => host[name](...given);
})(globalThis);
