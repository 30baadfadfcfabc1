/* The chat on a company's site (docs/web-chat.md). One file, no dependency, no build step; it asks
 * for nothing and stores nothing until the visitor writes. The routes are in web_chat.py.
 *
 * What a person wrote is in localStorage before anything is sent, and stays there until we have
 * answered that we have it; their files are in IndexedDB meanwhile. What others wrote is only ever
 * shown as text. */
(function () {
  "use strict";
  if (window.passerelleChat) return;

  const SCRIPT = document.currentScript || document.querySelector('script[src*="/widget.js"]');
  const GIVEN = (SCRIPT && SCRIPT.dataset) || {};
  const BASE = (GIVEN.url || SCRIPT.src.replace(/[^/]*([?#].*)?$/, "")).replace(/\/*$/, "/");

  const KEY = "passerelle-chat";
  const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const LONGEST_TEXT = 4096;
  // Of one message. In base64 and with its words, all of it is less than the 6 MB of a request that a Lambda takes.
  const FILES = { most: 3, each: 3e6, together: 4e6 };
  const TYPES = ["image/jpeg", "image/png", "image/webp", "image/gif", "application/pdf"];
  const PICTURE = { side: 1600, quality: 0.8 }; // Pixels of the longer side.
  const SHOWN = 100; // Messages kept to be shown.
  const FORGOTTEN_AFTER = 30 * DAY;
  const RENEWED_AFTER = DAY;
  const LAPSED_AFTER = 7 * DAY; // The token; whoever comes back then begins a session when they write.
  const GIVES_UP_AFTER = 30 * SECOND; // One request, on a slow line; files have as long as the slowest line takes.
  const SLOWEST = 5; // Bytes a millisecond.
  const KEEPS_WITHIN = 5 * SECOND; // Some browsers' IndexedDB never answers.
  const RETRIES = { first: 2 * SECOND, most: MINUTE };
  const POLLS_OPEN = { first: 3 * SECOND, most: 30 * SECOND };
  const POLLS_CLOSED = { first: 30 * SECOND, most: 2 * MINUTE };
  const LINKS_LAST = 30 * MINUTE; // The addresses of files that lie with us end after an hour.
  const SLOWER = 1.3; // Each poll that brought nothing.
  // How long after the last word a page asks on. The next page, or whoever looks again, asks anyway.
  const ASKS_ON = { hidden: HOUR, closed: DAY };

  const WORDS = {
    en: {
      open: "Chat with us", close: "Close", log: "Messages", label: "Your message", send: "Send", you: "You",
      hello: "Write to us. We answer here.", sending: "Sending…", sent: "Sent", refused: "Could not be sent.",
      waiting: "Not sent yet", offline: "Your message will be sent when you are online again.", unread: "new messages", tab: "opens in a new tab",
      attach: "Add a picture or a PDF", remove: "Remove", preparing: "Preparing…", kinds: "Only pictures and PDF files can be sent.",
      large: "Too large to be sent (3 MB at most):", many: "Three files at most can be sent at once.", lost: "A file was no longer there. Please choose it again.",
    },
    fr: {
      open: "Écrivez-nous", close: "Fermer", log: "Messages", label: "Votre message", send: "Envoyer", you: "Vous",
      hello: "Écrivez-nous. Nous vous répondons ici.", sending: "Envoi…", sent: "Envoyé", refused: "Envoi impossible.",
      waiting: "Pas encore envoyé", offline: "Votre message partira dès que vous serez de nouveau en ligne.", unread: "nouveaux messages", tab: "dans un nouvel onglet",
      attach: "Joindre une photo ou un PDF", remove: "Retirer", preparing: "Préparation…", kinds: "Seuls les images et les fichiers PDF peuvent être envoyés.",
      large: "Trop lourd pour être envoyé (3 Mo au plus) :", many: "Trois fichiers au plus à la fois.", lost: "Un fichier n’était plus là. Choisissez-le de nouveau.",
    },
    it: {
      open: "Ci scriva", close: "Chiudi", log: "Messaggi", label: "Il suo messaggio", send: "Invia", you: "Lei",
      hello: "Ci scriva. Le rispondiamo qui.", sending: "Invio…", sent: "Inviato", refused: "Invio non riuscito.",
      waiting: "Non ancora inviato", offline: "Il messaggio partirà appena sarà di nuovo online.", unread: "nuovi messaggi", tab: "in una nuova scheda",
      attach: "Alleghi una foto o un PDF", remove: "Rimuovi", preparing: "Preparazione…", kinds: "Si possono inviare solo immagini e file PDF.",
      large: "Troppo grande per l’invio (3 MB al massimo):", many: "Al massimo tre file alla volta.", lost: "Un file non c’era più. Lo scelga di nuovo.",
    },
    es: {
      open: "Escríbanos", close: "Cerrar", log: "Mensajes", label: "Su mensaje", send: "Enviar", you: "Usted",
      hello: "Escríbanos. Le respondemos aquí.", sending: "Enviando…", sent: "Enviado", refused: "No se pudo enviar.",
      waiting: "Aún no enviado", offline: "Su mensaje se enviará cuando vuelva a tener conexión.", unread: "mensajes nuevos", tab: "en una pestaña nueva",
      attach: "Adjuntar una foto o un PDF", remove: "Quitar", preparing: "Preparando…", kinds: "Solo se pueden enviar imágenes y archivos PDF.",
      large: "Demasiado grande para enviarlo (3 MB como máximo):", many: "Tres archivos como máximo a la vez.", lost: "Un archivo ya no estaba. Elíjalo de nuevo.",
    },
    sw: {
      open: "Ongea nasi", close: "Funga", log: "Ujumbe", label: "Ujumbe wako", send: "Tuma", you: "Wewe",
      hello: "Tuandikie. Tutakujibu hapa.", sending: "Inatumwa…", sent: "Imetumwa", refused: "Haikuweza kutumwa.",
      waiting: "Bado haijatumwa", offline: "Ujumbe wako utatumwa utakapokuwa mtandaoni tena.", unread: "ujumbe mpya", tab: "katika kichupo kipya",
      attach: "Ongeza picha au PDF", remove: "Ondoa", preparing: "Inaandaliwa…", kinds: "Picha na faili za PDF pekee zinaweza kutumwa.",
      large: "Ni kubwa mno kutumwa (isizidi MB 3):", many: "Faili tatu tu kwa wakati mmoja.", lost: "Faili moja haikuwepo tena. Tafadhali ichague tena.",
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
    .files > * { display: inline-block; padding: .65em .5em .65em 0; overflow-wrap: anywhere; }
    .chosen { list-style: none; padding: 0 .6em; }
    .chosen li { display: flex; align-items: center; justify-content: space-between; }
    .chosen span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .attach { padding: .5em; }
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

  function read(name = slot()) {
    let text = memory[name];
    try {
      if (text === undefined) text = localStorage.getItem(name);
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
    let names = Object.keys(memory);
    try {
      names = names.concat(Object.keys(localStorage));
    } catch (_) { /* Blocked. */ }
    for (const name of names.filter(isErased)) {
      const { outbox } = read(name);
      delete memory[name];
      try {
        localStorage.removeItem(name);
      } catch (_) { /* Blocked. */ }
      const goesOn = new Set(read().outbox.map((one) => one.id));
      outbox.filter((one) => one.files && !goesOn.has(one.id)).forEach((one) => drop(one.id));
    }
  }

  // The files of what is not sent yet, by the message's id. localStorage is too small for them; where IndexedDB is
  // blocked or full they wait as long as the page is open, and whoever comes back is told to choose them again.

  const held = new Map();

  /** What `ask` asks of the store; undefined where the browser has none, or it does not answer. */
  function store(ask) {
    const asked = new Promise((resolve) => {
      const opening = indexedDB.open(KEY);
      opening.onerror = () => resolve();
      opening.onupgradeneeded = () => opening.result.createObjectStore("files");
      opening.onsuccess = () => {
        const work = opening.result.transaction("files", "readwrite");
        const request = ask(work.objectStore("files"));
        work.oncomplete = () => resolve(request.result);
        work.onabort = () => resolve(); // It is full.
        opening.result.close(); // When that is done.
      };
    }).catch(() => {});
    return Promise.race([asked, new Promise((resolve) => setTimeout(resolve, KEEPS_WITHIN))]);
  }

  function hold(id, files) {
    held.set(id, files);
    return store((kept) => kept.put(files, id));
  }

  async function heldFor(id) {
    return held.get(id) || store((kept) => kept.get(id));
  }

  function drop(id) {
    held.delete(id);
    return store((kept) => kept.delete(id));
  }

  // The routes

  async function call(method, path, token, body) {
    const text = body && JSON.stringify(body);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), patience((text || "").length));
    const headers = {};
    if (token) headers.authorization = `Bearer ${token}`;
    if (body) headers["content-type"] = "application/json";
    try {
      const answer = await fetch(BASE + path, {
        method, headers, body: text, signal: abort.signal, cache: "no-store", credentials: "omit",
      });
      // Something on the way may answer with a page of its own: then nothing was accepted.
      return { status: answer.status, body: (await answer.json().catch(() => null)) || {} };
    } catch (_) {
      return { status: 0, body: {} };
    } finally {
      clearTimeout(timer);
    }
  }

  const patience = (bytes) => GIVES_UP_AFTER + bytes / SLOWEST;

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
    const timer = setTimeout(() => abort.abort(), patience((read().outbox[0] || {}).bytes || 0));
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

  async function write(text, more, files = []) {
    const id = window.crypto && crypto.randomUUID
      ? crypto.randomUUID()
      : `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;
    const at = new Date().toISOString();
    const names = files.map(({ name }) => ({ name }));
    const bytes = files.reduce((sum, one) => sum + one.content.length, 0);
    if (bytes) await hold(id, files);
    change((kept) => {
      kept.outbox.push(Object.assign({ id, text, sent_at: at }, bytes && { files: names, bytes }, more));
      kept.log.push({ id, text, at, mine: true, files: names });
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
    const files = first.files && (await heldFor(first.id));
    // Without its files, the words go; where there are none, there is nothing to send.
    const isLost = !!first.files && !files;
    if (isLost) change((kept) => kept.log.filter((one) => one.id === first.id).forEach((one) => (one.lost = true)));
    const isEmpty = isLost && !first.text;
    const { status, body } = isEmpty ? {} : await call("POST", "messages", token, Object.assign({}, first, { token: undefined, bytes: undefined, files }));
    if (mine !== who) return false;
    const isRefused = isEmpty || (status === 400 && body.accepted === false) || status === 413;
    if ((status === 200 && body.accepted && body.id === first.id) || isRefused) {
      if (first.files) drop(first.id);
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

  let polling = 0, wait = 0, fetching = false, linked = 0;

  async function poll() {
    if (fetching || !read().token) return;
    fetching = true;
    const mine = who;
    let found = 0;
    // All of them once in a while, where there are files: each is then told with a new address.
    const areFiles = read().log.some((one) => filesOf(one).length && !one.mine);
    const isWhole = areFiles && Date.now() - linked > LINKS_LAST;
    if (isWhole || !areFiles) linked = Date.now();
    try {
      await session();
      for (const name of mine === who ? ["token", "before"] : []) {
        const { [name]: token, since } = read();
        if (!token) continue;
        const query = since[name] && !isWhole ? `?since=${encodeURIComponent(since[name])}` : "";
        const { status, body } = await call("GET", `messages${query}`, token);
        if (mine !== who) break;
        if (status === 200) found += take(Array.isArray(body.messages) ? body.messages : [], name, isWhole);
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
  function take(messages, name, isWhole) {
    const known = new Set(read().log.map((one) => one.id));
    const again = messages.filter((one) => isWhole && one && one.files && known.has(one.id));
    if (again.length) change((kept) => again.forEach((one) => kept.log.filter(({ id }) => id === one.id).forEach((old) => (old.files = one.files))));
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

  /** What lies beside us is as safe as we are: on a laptop, neither has https. */
  function isSafe(url) {
    try {
      const { protocol, origin } = new URL(url);
      return protocol === "https:" || (protocol === "http:" && origin === new URL(BASE, location).origin);
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
  const chosen = []; // What the next message brings: name, content_type, content in base64.
  const tray = make("ul", { class: "chosen", "aria-live": "polite", hidden: "" });
  const trouble = make("p", { class: "status", role: "alert" });
  const picker = make("input", { type: "file", accept: TYPES.join(), multiple: "", hidden: "", change: () => { choose([...picker.files]); picker.value = ""; } });
  const attach = make("button", { class: "attach", type: "button", "aria-label": SAY.attach, title: SAY.attach, click: () => picker.click() }, "📎");
  const field = make("textarea", { id: "text", rows: "1", maxlength: LONGEST_TEXT, dir: "auto", autocomplete: "off", enterkeyhint: "send" });
  const form = make("form", { submit: (event) => { event.preventDefault(); say(); } }, attach, picker,
    make("label", { for: "text", class: "apart" }, SAY.label), field, make("button", { class: "send", type: "submit" }, SAY.send));
  const panel = make("div", { class: "panel", role: "dialog", "aria-labelledby": "title", lang: LANGUAGE, hidden: "" },
    make("div", { class: "head" }, make("h2", { id: "title" }, TITLE), make("button", { class: "close", type: "button", "aria-label": SAY.close, click: () => close() }, "×")),
    log, status, trouble, tray, form);

  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    say();
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });

  async function say() {
    await preparing;
    const text = field.value.trim();
    const files = chosen.splice(0);
    if (!text && !files.length) return;
    field.value = trouble.textContent = "";
    drawChosen();
    write(text, undefined, files);
  }

  // What is chosen to be sent: a picture smaller, and as nothing but a picture (where it was taken is not in it any more)

  let preparing = Promise.resolve();

  function choose(files) {
    trouble.textContent = SAY.preparing;
    preparing = preparing.then(async () => {
      const problems = [];
      for (const file of files) problems.push(await prepare(file));
      trouble.textContent = [...new Set(problems)].join(" ").trim();
      drawChosen();
    });
  }

  /** What is wrong with it, or "". */
  async function prepare(file) {
    const picture = file.type.startsWith("image/") ? await smaller(file).catch(() => null) : null;
    const made = picture || file;
    const content_type = made.type;
    if (!TYPES.includes(content_type)) return SAY.kinds;
    if (chosen.length === FILES.most) return SAY.many;
    const size = chosen.reduce((sum, one) => sum + one.content.length * 0.75, made.size);
    if (!made.size || made.size > FILES.each || size > FILES.together) return `${SAY.large} ${file.name}.`;
    const content = await inBase64(made);
    const name = picture ? file.name.replace(/\.\w+$/, "") + ".jpg" : file.name;
    chosen.push({ name, content_type, content });
    return "";
  }

  /** Rejects where the browser cannot read it, as with a drawing (SVG): that is no picture here. */
  async function smaller(file) {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, PICTURE.side / Math.max(picture.width, picture.height));
    const canvas = make("canvas", { width: Math.ceil(picture.width * scale), height: Math.ceil(picture.height * scale) });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff"; // JPEG knows no transparency.
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", PICTURE.quality));
  }

  function inBase64(blob) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.split(",")[1]);
      reader.onerror = reject;
      reader.readAsDataURL(blob);
    });
  }

  function drawChosen() {
    tray.textContent = "";
    tray.hidden = !chosen.length;
    tray.append(...chosen.map((one) => make("li", {}, make("span", { dir: "auto" }, one.name),
      make("button", { type: "button", "aria-label": `${SAY.remove} ${one.name}`, click: () => { chosen.splice(chosen.indexOf(one), 1); drawChosen(); attach.focus(); } }, "×"))));
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
      const state = one.lost ? SAY.lost : one.refused ? SAY.refused : !waiting.has(one.id) ? SAY.sent : failures ? SAY.waiting : SAY.sending;
      const meta = [one.mine ? SAY.you : TITLE, clockTime(one.at), one.mine ? state : ""].filter(Boolean).join(" · ");
      // The same node with other words: a screen reader is told of what is added only.
      if (seen.meta.data !== meta) seen.meta.data = meta;
      filesOf(one).forEach(({ url }, number) => seen.files[number] && url && seen.files[number].setAttribute("href", url));
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

  /** What can be shown of them: ours have an address, the visitor's own only a name. */
  const filesOf = ({ files, mine }) => (Array.isArray(files) ? files : []).filter((file) => file && (mine || isSafe(file.url)));

  function drawn(one) {
    const meta = document.createTextNode("");
    const element = make("div", { class: `message${one.mine ? " mine" : ""}` });
    if (one.text) element.append(make("p", { class: "text", dir: "auto" }, ...(one.mine ? [one.text] : withLinks(one.text))));
    const files = filesOf(one).map((file) =>
      one.mine ? make("span", { dir: "auto" }, `📎 ${file.name}`) : link(file.url, String(file.name || file.url)));
    if (files.length) element.append(make("p", { class: "files" }, ...files));
    const picks = (Array.isArray(one.choices) ? one.choices : []).filter((pick) => pick && pick.title);
    const choices = picks.length ? make("div", { class: "choices" }, ...picks.map((pick) =>
      make("button", { type: "button", dir: "auto", click: () => { pickOne(pick, one.id); } }, String(pick.title)))) : null;
    if (choices) element.append(choices);
    element.append(make("p", { class: "meta" }, meta));
    return { element, meta, choices, files };
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
    // The files of what was taken over stay.
    erase((name) => (name === KEY || name.startsWith(`${KEY}:`)) && name !== slot());
    begin();
  }

  /** They signed out, or want nothing of it to stay in this browser. */
  function forget() {
    who = { id: "", hash: "" };
    erase((name) => name === KEY || name.startsWith(`${KEY}:`));
    try {
      indexedDB.deleteDatabase(KEY);
    } catch (_) { /* There is none. */ }
    chosen.length = 0;
    drawChosen();
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
