/* The chat on a company's site (docs/web-chat.md). One file, no dependency, no build step; it asks
 * for nothing and stores nothing until the visitor writes. The routes are in web_chat.py.
 *
 * What a person wrote is in localStorage before anything is sent, and stays there until we have
 * answered that we have it. What others wrote is only ever shown as text. */
(function () {
  "use strict";
  if (window.passerelleChat) return;

  const SCRIPT = document.currentScript || document.querySelector('script[src*="/widget.js"]');
  const GIVEN = (SCRIPT && SCRIPT.dataset) || {};
  const BASE = (GIVEN.url || SCRIPT.src.replace(/[^/]*([?#].*)?$/, "")).replace(/\/*$/, "/");

  const KEY = "passerelle-chat";
  const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const LONGEST_TEXT = 4096;
  const SHOWN = 100; // Messages kept to be shown.
  const FORGOTTEN_AFTER = 30 * DAY;
  const RENEWED_AFTER = DAY;
  const LAPSED_AFTER = 7 * DAY; // The token; whoever comes back then begins a session when they write.
  const GIVES_UP_AFTER = 30 * SECOND; // One request, on a slow line.
  const RETRIES = { first: 2 * SECOND, most: MINUTE };
  const POLLS_OPEN = { first: 3 * SECOND, most: 30 * SECOND };
  const POLLS_CLOSED = { first: 30 * SECOND, most: 2 * MINUTE };
  const SLOWER = 1.3; // Each poll that brought nothing.
  // How long after the last word a page asks on. The next page, or whoever looks again, asks anyway.
  const ASKS_ON = { hidden: HOUR, closed: DAY };

  const WORDS = {
    en: {
      open: "Chat with us", close: "Close", log: "Messages", label: "Your message", send: "Send", you: "You",
      hello: "Write to us. We answer here.", sending: "Sending…", sent: "Sent", refused: "Could not be sent.",
      waiting: "Not sent yet", offline: "Your message will be sent when you are online again.", unread: "new messages", tab: "opens in a new tab",
    },
    fr: {
      open: "Écrivez-nous", close: "Fermer", log: "Messages", label: "Votre message", send: "Envoyer", you: "Vous",
      hello: "Écrivez-nous. Nous vous répondons ici.", sending: "Envoi…", sent: "Envoyé", refused: "Envoi impossible.",
      waiting: "Pas encore envoyé", offline: "Votre message partira dès que vous serez de nouveau en ligne.", unread: "nouveaux messages", tab: "dans un nouvel onglet",
    },
    it: {
      open: "Ci scriva", close: "Chiudi", log: "Messaggi", label: "Il suo messaggio", send: "Invia", you: "Lei",
      hello: "Ci scriva. Le rispondiamo qui.", sending: "Invio…", sent: "Inviato", refused: "Invio non riuscito.",
      waiting: "Non ancora inviato", offline: "Il messaggio partirà appena sarà di nuovo online.", unread: "nuovi messaggi", tab: "in una nuova scheda",
    },
    es: {
      open: "Escríbanos", close: "Cerrar", log: "Mensajes", label: "Su mensaje", send: "Enviar", you: "Usted",
      hello: "Escríbanos. Le respondemos aquí.", sending: "Enviando…", sent: "Enviado", refused: "No se pudo enviar.",
      waiting: "Aún no enviado", offline: "Su mensaje se enviará cuando vuelva a tener conexión.", unread: "mensajes nuevos", tab: "en una pestaña nueva",
    },
    sw: {
      open: "Ongea nasi", close: "Funga", log: "Ujumbe", label: "Ujumbe wako", send: "Tuma", you: "Wewe",
      hello: "Tuandikie. Tutakujibu hapa.", sending: "Inatumwa…", sent: "Imetumwa", refused: "Haikuweza kutumwa.",
      waiting: "Bado haijatumwa", offline: "Ujumbe wako utatumwa utakapokuwa mtandaoni tena.", unread: "ujumbe mpya", tab: "katika kichupo kipya",
    },
  };
  const LANGUAGE = [GIVEN.language, document.documentElement.lang, navigator.language]
    .map((one) => (one || "").toLowerCase().split(/[-_]/)[0])
    .find((one) => Object.keys(WORDS).includes(one)) || "en";
  const SAY = WORDS[LANGUAGE];
  const TITLE = GIVEN.title || SAY.open;

  const CSS = `
    :host { all: initial; font: max(16px, 1rem)/1.5 system-ui, "Segoe UI", Roboto, sans-serif; color: #1d1f23; }
    * { box-sizing: border-box; font: inherit; color: inherit; margin: 0; }
    [hidden] { display: none !important; }
    button { min-height: 44px; min-width: 44px; padding: .5em 1em; border: 1px solid #5f646d; border-radius: .6em; background: #fff; cursor: pointer; }
    :focus-visible { outline: 3px solid #1d1f23; outline-offset: 2px; box-shadow: 0 0 0 2px #fff; }
    .launcher, .send, .mine p.text { background: var(--accent); color: var(--ink); border-color: var(--accent); }
    .launcher { position: fixed; inset: auto 1em 1em auto; z-index: 2147483000; border-radius: 2em; font-weight: 600; box-shadow: 0 2px 10px #0005; }
    .badge { background: #fff; color: #1d1f23; border-radius: 1em; padding: 0 .5em; margin-inline-start: .5em; }
    .panel { position: fixed; inset: auto .5em .5em auto; z-index: 2147483001; display: flex; flex-direction: column; width: min(23em, 100vw - 1em);
      height: min(34em, 100vh - 1em); height: min(34em, 100dvh - 1em); background: #fff; border: 1px solid #5f646d; border-radius: .8em; box-shadow: 0 4px 24px #0005; overflow: hidden; }
    .head { display: flex; align-items: center; gap: .5em; padding: .4em .4em .4em 1em; border-bottom: 1px solid #d5d2cb; }
    h2 { flex: 1; font-weight: 650; overflow-wrap: anywhere; }
    .log { flex: 1; overflow-y: auto; padding: 1em; overscroll-behavior: contain; }
    .log:focus-visible { outline-offset: -3px; box-shadow: none; }
    .message { margin: 0 2em .8em 0; }
    .mine { margin: 0 0 .8em 2em; }
    .text { position: relative; display: inline-block; padding: .5em .8em; border-radius: .8em; background: #efede8; white-space: pre-wrap; overflow-wrap: anywhere; }
    .mine .text, .mine .meta { display: block; }
    .meta { font-size: .82em; color: #555a62; }
    .hello { margin-bottom: 1em; }
    a { text-decoration: underline; }
    .files a { display: inline-block; padding: .65em 0; }
    .choices { display: flex; flex-wrap: wrap; gap: .5em; margin-top: .5em; }
    form { display: flex; gap: .5em; align-items: end; padding: .6em; border-top: 1px solid #d5d2cb; }
    textarea { flex: 1; min-width: 0; min-height: 44px; max-height: 9em; padding: .5em; border: 1px solid #5f646d; border-radius: .6em; resize: none; background: #fff; }
    .status { padding: 0 1em; font-size: .88em; color: #8a3b00; }
    .apart { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    @media (prefers-reduced-motion: no-preference) { .log { scroll-behavior: smooth; } }
  `;

  // What is kept, and shared by all tabs: one slot for who is not signed in, one for each customer

  let who = { id: "", hash: "" };
  const memory = {}; // Where the browser allows no storage, or it is full.

  const slot = () => (who.id ? `${KEY}:${who.id}` : KEY);

  function read() {
    let text = memory[slot()];
    try {
      if (text === undefined) text = localStorage.getItem(slot());
    } catch (_) { /* Blocked. */ }
    let kept = null;
    try {
      kept = JSON.parse(text || "null");
    } catch (_) { /* Not ours. */ }
    return Object.assign(
      { token: "", before: "", since: {}, renewed: 0, active: 0, unread: 0, outbox: [], log: [] },
      kept && kept.since && Array.isArray(kept.outbox) && Array.isArray(kept.log) ? kept : {},
    );
  }

  function change(edit) {
    const kept = read();
    edit(kept);
    kept.log = kept.log.slice(-SHOWN);
    const text = JSON.stringify(kept);
    try {
      localStorage.setItem(slot(), text);
      delete memory[slot()];
    } catch (_) {
      memory[slot()] = text;
    }
    render();
  }

  function erase(isErased) {
    Object.keys(memory).filter(isErased).forEach((name) => delete memory[name]);
    try {
      Object.keys(localStorage).filter(isErased).forEach((name) => localStorage.removeItem(name));
    } catch (_) { /* Blocked. */ }
  }

  // The routes

  async function call(method, path, token, body) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), GIVES_UP_AFTER);
    const headers = {};
    if (token) headers.authorization = `Bearer ${token}`;
    if (body) headers["content-type"] = "application/json";
    try {
      const answer = await fetch(BASE + path, {
        method, headers, body: body && JSON.stringify(body), signal: abort.signal, cache: "no-store", credentials: "omit",
      });
      // Something on the way may answer with a page of its own: then nothing was accepted.
      return { status: answer.status, body: (await answer.json().catch(() => null)) || {} };
    } catch (_) {
      return { status: 0, body: {} };
    } finally {
      clearTimeout(timer);
    }
  }

  /** A token, or "" while there is none to be had. */
  async function session() {
    const mine = who;
    const { token, renewed } = read();
    const age = Date.now() - renewed;
    if (token && age >= 0 && age < RENEWED_AFTER) return token;
    const customer = who.hash ? { user_id: who.id, user_hash: who.hash } : {};
    let answer = await call("POST", "sessions", token, customer);
    if (answer.status === 401 && token) answer = await call("POST", "sessions", "", customer);
    if (answer.status === 401 && who.hash) {
      console.warn("passerelle chat: user_hash is not accepted, so nobody knows who writes");
      answer = await call("POST", "sessions", "", {});
    }
    if (mine !== who) return "";
    if (answer.status !== 200 || !answer.body.token) return token;
    change((kept) => {
      kept.token = answer.body.token;
      kept.renewed = Date.now();
    });
    return answer.body.token;
  }

  /** Only one tab at a time. Where the browser cannot do that, or another tab was put to sleep at it,
   * the ids see to it that nothing counts twice. */
  async function alone(work) {
    let began = false;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), GIVES_UP_AFTER);
    try {
      return await navigator.locks.request(KEY, { signal: abort.signal }, () => {
        began = true;
        return work();
      });
    } catch (error) {
      if (began) throw error;
      return work();
    } finally {
      clearTimeout(timer);
    }
  }

  // Sending: one after the other, each until it is answered

  let sending = false, failures = 0, retry = 0, refused = "";

  function write(text, more) {
    const id = window.crypto && crypto.randomUUID
      ? crypto.randomUUID()
      : `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;
    const at = new Date().toISOString();
    change((kept) => {
      kept.outbox.push(Object.assign({ id, text, sent_at: at }, more));
      kept.log.push({ id, text, at, mine: true });
      kept.active = Date.now();
    });
    flush();
  }

  async function flush() {
    clearTimeout(retry);
    if (sending || !read().outbox.length) return;
    sending = true;
    let goesOn = true;
    try {
      while (goesOn && read().outbox.length) goesOn = await alone(sendFirst);
    } finally {
      sending = false;
    }
    failures = goesOn ? 0 : failures + 1;
    render();
    if (goesOn) return soon();
    const longest = Math.min(RETRIES.most, RETRIES.first * 2 ** (failures - 1));
    retry = setTimeout(flush, longest * (0.5 + Math.random() / 2));
  }

  /** Whether to go on with what is behind it. */
  async function sendFirst() {
    const mine = who;
    const first = read().outbox[0];
    if (!first) return true;
    // Tried again, it is sent in the session it was first sent in: the same touchpoint.
    const token = first.token || (await session());
    if (!token || mine !== who) return false;
    change((kept) => kept.outbox.filter((one) => one.id === first.id).forEach((one) => (one.token = token)));
    const { status, body } = await call("POST", "messages", token, Object.assign({}, first, { token: undefined }));
    if (mine !== who) return false;
    const isRefused = (status === 400 && body.accepted === false) || status === 413;
    if ((status === 200 && body.accepted && body.id === first.id) || isRefused) {
      change((kept) => {
        kept.outbox = kept.outbox.filter((one) => one.id !== first.id);
        kept.log.filter((one) => one.id === first.id).forEach((one) => (one.refused = isRefused));
      });
      return true;
    }
    if (status === 401) {
      change((kept) => {
        kept.outbox.filter((one) => one.token === token).forEach((one) => delete one.token);
        if (kept.token === token) kept.token = "";
      });
      // Once more at once, in another session; the second time it waits like anything else.
      const isFirstTime = refused !== first.id;
      refused = first.id;
      return isFirstTime;
    }
    return false;
  }

  // Fetching: often while somebody looks, seldom otherwise, never before they wrote

  let polling = 0, wait = 0, fetching = false;

  async function poll() {
    if (fetching || !read().token) return;
    fetching = true;
    const mine = who;
    let found = 0;
    try {
      await session();
      for (const name of mine === who ? ["token", "before"] : []) {
        const { [name]: token, since } = read();
        if (!token) continue;
        const query = since[name] ? `?since=${encodeURIComponent(since[name])}` : "";
        const { status, body } = await call("GET", `messages${query}`, token);
        if (mine !== who) break;
        if (status === 200) found += take(Array.isArray(body.messages) ? body.messages : [], name);
        if (status === 401) change((kept) => (kept[name] = kept[name] === token ? "" : kept[name]));
      }
    } finally {
      fetching = false;
    }
    if (mine !== who) return poll();
    if (found) wait = 0;
    later();
  }

  /** How many of them are new. */
  function take(messages, name) {
    const known = new Set(read().log.map((one) => one.id));
    const fresh = messages.filter((one) => one && typeof one.id === "string" && !known.has(one.id));
    if (!fresh.length) return 0;
    change((kept) => {
      for (const one of fresh) {
        const at = String(one.sent_at || "");
        kept.log.push({ id: one.id, text: String(one.text || ""), at, choices: one.choices, files: one.files });
        if (at > (kept.since[name] || "")) kept.since[name] = at;
      }
      kept.active = Date.now();
      kept.unread = isLookedAt() ? 0 : kept.unread + fresh.length;
    });
    return fresh.length;
  }

  const isLookedAt = () => !panel.hidden && !document.hidden;

  function later() {
    clearTimeout(polling);
    const { token, active } = read();
    const quiet = Date.now() - active;
    if (!token || (document.hidden && quiet > ASKS_ON.hidden) || (panel.hidden && quiet > ASKS_ON.closed)) return;
    const pace = isLookedAt() ? POLLS_OPEN : POLLS_CLOSED;
    wait = Math.min(pace.most, Math.max(pace.first, wait * SLOWER));
    polling = setTimeout(poll, wait);
  }

  /** Something happened: look at once where somebody looks, and often from now on. */
  function soon() {
    wait = 0;
    if (!document.hidden && read().token) poll();
    else later();
  }

  // What is seen

  function make(tag, given, ...inside) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(given)) {
      if (typeof value === "function") element.addEventListener(name, value);
      else if (value !== undefined) element.setAttribute(name, value);
    }
    element.append(...inside);
    return element;
  }

  function link(url, ...inside) {
    const spoken = make("span", { class: "apart" }, ` (${SAY.tab})`);
    return make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...inside, spoken);
  }

  function isSafe(url) {
    try {
      return new URL(url).protocol === "https:";
    } catch (_) {
      return false;
    }
  }

  /** Text, with its https addresses as links. */
  function withLinks(text) {
    return text.split(/(https:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}»”’])/).map((part, place) =>
      place % 2 && isSafe(part) ? link(part, part) : part);
  }

  function clockTime(at) {
    const moment = new Date(at);
    return isNaN(moment) ? "" : moment.toLocaleTimeString(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
  }

  const badge = make("span", { class: "badge", hidden: "" });
  const launcher = make("button", { class: "launcher", type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", click: () => open() }, SAY.open, badge);
  const news = make("span", { class: "apart", role: "status" });
  const log = make("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": SAY.log, "aria-relevant": "additions", tabindex: "0" });
  const status = make("p", { class: "status", role: "status" });
  const field = make("textarea", { id: "text", rows: "1", maxlength: LONGEST_TEXT, dir: "auto", autocomplete: "off", enterkeyhint: "send" });
  const form = make("form", { submit: (event) => { event.preventDefault(); say(); } },
    make("label", { for: "text", class: "apart" }, SAY.label), field, make("button", { class: "send", type: "submit" }, SAY.send));
  const panel = make("div", { class: "panel", role: "dialog", "aria-labelledby": "title", lang: LANGUAGE, hidden: "" },
    make("div", { class: "head" }, make("h2", { id: "title" }, TITLE), make("button", { class: "close", type: "button", "aria-label": SAY.close, click: () => close() }, "×")),
    log, status, form);

  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    say();
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });

  function say() {
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    write(text);
  }

  function open() {
    panel.hidden = false;
    launcher.hidden = true;
    launcher.setAttribute("aria-expanded", "true");
    markRead();
    field.focus();
    log.scrollTop = log.scrollHeight;
    soon();
  }

  function close() {
    panel.hidden = true;
    launcher.hidden = false;
    launcher.setAttribute("aria-expanded", "false");
    launcher.focus();
    later();
  }

  /** Of who only looks, nothing is stored. */
  function markRead() {
    if (isLookedAt() && read().unread) change((kept) => (kept.unread = 0));
    else render();
  }

  const shown = new Map(); // By id: what stands in the log, only ever added to, as it is read aloud.

  function render() {
    const kept = read();
    const waiting = new Set(kept.outbox.map((one) => one.id));
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    let added = false;
    kept.log.forEach((one, place) => {
      let seen = shown.get(one.id);
      if (!seen) {
        seen = drawn(one);
        shown.set(one.id, seen);
        log.append(seen.element);
        added = true;
      }
      const state = one.refused ? SAY.refused : !waiting.has(one.id) ? SAY.sent : failures ? SAY.waiting : SAY.sending;
      const meta = [one.mine ? SAY.you : TITLE, clockTime(one.at), one.mine ? state : ""].filter(Boolean).join(" · ");
      // The same node with other words: a screen reader is told of what is added only.
      if (seen.meta.data !== meta) seen.meta.data = meta;
      // An answer can be picked while nothing was said since.
      if (seen.choices) seen.choices.hidden = place !== kept.log.length - 1;
    });
    const problem = failures && waiting.size ? SAY.offline : "";
    if (status.textContent !== problem) status.textContent = problem;
    badge.hidden = !kept.unread;
    badge.textContent = kept.unread ? String(kept.unread) : "";
    const unread = kept.unread ? `${SAY.unread}: ${kept.unread}` : "";
    launcher.setAttribute("aria-label", unread ? `${SAY.open} (${unread})` : SAY.open);
    if (news.textContent !== unread) news.textContent = unread;
    if (isAtEnd || (added && kept.log[kept.log.length - 1].mine)) log.scrollTop = log.scrollHeight;
  }

  function drawn(one) {
    const meta = document.createTextNode("");
    const element = make("div", { class: `message${one.mine ? " mine" : ""}` });
    if (one.text) element.append(make("p", { class: "text", dir: "auto" }, ...(one.mine ? [one.text] : withLinks(one.text))));
    const files = (Array.isArray(one.files) ? one.files : []).filter((file) => file && isSafe(file.url));
    if (files.length) element.append(make("p", { class: "files" }, ...files.map((file) => link(file.url, String(file.name || file.url)))));
    const picks = (Array.isArray(one.choices) ? one.choices : []).filter((pick) => pick && pick.title);
    const choices = picks.length ? make("div", { class: "choices" }, ...picks.map((pick) =>
      make("button", { type: "button", dir: "auto", click: () => { pickOne(pick, one.id); } }, String(pick.title)))) : null;
    if (choices) element.append(choices);
    element.append(make("p", { class: "meta" }, meta));
    return { element, meta, choices };
  }

  function pickOne(pick, inReplyTo) {
    const title = String(pick.title);
    write(title, { choice: { id: String(pick.id || ""), title }, in_reply_to: inReplyTo });
    field.focus();
  }

  function clear() {
    shown.clear();
    log.textContent = "";
    log.append(make("p", { class: "hello meta" }, SAY.hello));
  }

  // Who it is

  /** The customer who is signed in on the site, with the hash that its server made. */
  function identify(id, hash) {
    id = String(id || "");
    if (!id) return forget();
    if (id === who.id) {
      who.hash = hash;
      return;
    }
    const visitor = who.id ? null : read();
    who = { id, hash: String(hash || "") };
    erase((name) => (name === KEY || name.startsWith(`${KEY}:`)) && name !== slot());
    clear();
    if (visitor && (visitor.token || visitor.outbox.length)) {
      // What they wrote before they signed in may still be answered in that session.
      change((kept) => {
        kept.before = visitor.token;
        kept.since.before = visitor.since.token || "";
        kept.outbox = kept.outbox.concat(visitor.outbox);
        kept.log = kept.log.concat(visitor.log);
        kept.active = visitor.active;
      });
    }
    begin();
  }

  /** They signed out, or want nothing of it to stay in this browser. */
  function forget() {
    who = { id: "", hash: "" };
    erase((name) => name === KEY || name.startsWith(`${KEY}:`));
    clear();
    render();
  }

  function begin() {
    const { active, renewed, token, outbox } = read();
    if (active && Date.now() - active > FORGOTTEN_AFTER && !outbox.length) erase((name) => name === slot());
    if (token && Date.now() - renewed > LAPSED_AFTER) change((kept) => (kept.token = kept.before = ""));
    render();
    flush();
    poll();
  }

  // The accent is the site's choice; the ink on it is the one that can be read.
  function colours(accent) {
    const hex = /^#[0-9a-f]{6}$/i.test(accent || "") ? accent : "#0b6e5f";
    const [red, green, blue] = [1, 3, 5].map((place) => {
      const part = parseInt(hex.slice(place, place + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    return `:host { --accent: ${hex}; --ink: ${luminance > 0.179 ? "#000" : "#fff"}; }`;
  }

  function start() {
    const host = make("div", { id: KEY });
    const root = host.attachShadow({ mode: "open" });
    const css = CSS + colours(GIVEN.color);
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      root.adoptedStyleSheets = [sheet];
    } catch (_) {
      root.append(make("style", { nonce: SCRIPT && SCRIPT.nonce || undefined }, css));
    }
    root.append(make("aside", { lang: LANGUAGE, "aria-label": SAY.open }, launcher, news), panel);
    clear();
    document.body.append(host);
    addEventListener("online", () => { flush(); soon(); });
    addEventListener("focus", () => { flush(); soon(); });
    document.addEventListener("visibilitychange", () => { markRead(); if (!document.hidden) flush(); soon(); });
    addEventListener("storage", (event) => { if (event.key === slot()) { render(); later(); } });
    // Said and empty, the attribute tells that nobody is signed in.
    if (GIVEN.userId) identify(GIVEN.userId, GIVEN.userHash);
    else {
      if (GIVEN.userId === "") erase((name) => name.startsWith(`${KEY}:`));
      begin();
    }
  }

  window.passerelleChat = { open, close, identify, forget };
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
