// Live values of the page that is shown: one event stream, a store of the newest values, scripts of pages.
// The docstring of gnomon.services.dashboard says how a page uses this.
(function () {
  "use strict";

  const LATE_MS = 3000; // without a frame for so long, the connection to the services counts as lost
  const pages = {};
  const remembered = key => { try { return sessionStorage.getItem(key); } catch (error) { return null; } };
  function remember(key, value) {
    try {
      if (value === null) sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, value);
    } catch (error) { /* no storage */ }
  }

  const asked = new URLSearchParams(location.search);
  const chosen = {
    base: asked.get("prefix") ?? remembered("gnomon-prefix"),
    beside: asked.get("beside") ?? remembered("gnomon-beside"), // null: nothing
  };
  let servers = [];
  let current = null; // {path, page, root}
  let source = null;
  let opened = 0; // number of the present stream
  let lastFrame = 0;
  let late = true;
  let drawing = false;
  let twins = {}; // by prefix: {state, why, values}

  function decode(entry) {
    const value = entry.v;
    if (value && typeof value === "object" && typeof value.f4 === "string") {
      const bytes = Uint8Array.from(atob(value.f4), each => each.charCodeAt(0));
      entry.v = new Float32Array(bytes.buffer);
    }
    return entry;
  }

  function prefixOf(which) {
    return which === "beside" ? chosen.beside : chosen.base;
  }

  const live = {
    get prefix() { return chosen.base; },
    get beside() { return chosen.beside; },
    get servers() { return servers; },
    // Number of pushes since the page was loaded.
    get frames() { return frames; },
    // State of a twin: {state, why, fresh}; fresh is true only while its server answers and we hear of it.
    state(which) {
      const twin = twins[prefixOf(which)];
      if (late) return { state: "late", why: "no connection to the services", fresh: false };
      if (!twin) return { state: "looking", why: "looking for the server", fresh: false };
      return { state: twin.state, why: twin.why, fresh: twin.state === "live" };
    },
    // Value of a key: {v, u, s, a, t, i, fresh}; null if there is none.
    get(key, which) {
      const twin = twins[prefixOf(which)];
      const entry = twin && twin.values[key];
      if (!entry) return null;
      const fresh = live.state(which).fresh && !entry.gone && (entry.s || 0) < 3;
      return { ...entry, fresh };
    },
    // A number that counts the changes of these keys: draw again when it differs.
    version(keys, which) {
      const twin = twins[prefixOf(which)];
      const state = live.state(which).state;
      return state + keys.map(key => (twin && twin.values[key] ? twin.values[key].n : 0)).join();
    },
    keys(which) {
      const twin = twins[prefixOf(which)];
      return twin ? Object.keys(twin.values) : [];
    },
    choose(which, prefix) {
      if (which === "beside") chosen.beside = prefix;
      else chosen.base = prefix;
      if (which !== "beside" && chosen.beside === prefix) chosen.beside = null;
      remember("gnomon-prefix", chosen.base);
      remember("gnomon-beside", chosen.beside);
      tellDash();
      connect();
    },
  };

  function tellDash() {
    const told = () => window.dash_clientside && window.dash_clientside.set_props;
    if (!told()) return void setTimeout(tellDash, 50);
    window.dash_clientside.set_props("prefix", { data: chosen.base });
  }

  let count = 0;
  let frames = 0;
  function take(frame) {
    ++frames;
    lastFrame = performance.now();
    late = false;
    if (frame.servers) {
      servers = frame.servers;
      if (chosen.base === null && servers.length) {
        live.choose("base", servers[0][0]);
        return;
      }
    }
    for (const [prefix, news] of Object.entries(frame.p)) {
      const twin = (twins[prefix] = twins[prefix] || { values: {} });
      if (news.new) twin.values = {};
      twin.state = news.state;
      twin.why = news.why;
      for (const [key, entry] of Object.entries(news.v)) {
        entry.n = ++count;
        twin.values[key] = decode(entry);
      }
    }
    draw();
  }

  function draw() {
    if (drawing) return;
    drawing = true;
    const later = document.hidden ? task => setTimeout(task, 500) : requestAnimationFrame;
    later(() => {
      drawing = false;
      for (const listener of listeners) listener(live, current && current.root);
      if (current && current.page && current.page.frame) current.page.frame(live, current.root);
    });
  }

  // Values are kept when only the page changes: the new stream replaces them, and without one they are late.
  function connect(keep) {
    if (source) source.close();
    source = null;
    if (!keep) twins = {};
    draw();
    if (!current) return;
    const mine = ++opened;
    const query = new URLSearchParams({ page: current.path });
    if (chosen.base !== null) query.append("prefix", chosen.base);
    if (current.page && current.page.beside && chosen.beside !== null) query.append("prefix", chosen.beside);
    source = new EventSource(`/dashboard/live?${query}`);
    source.onmessage = event => { if (mine === opened) take(JSON.parse(event.data)); };
    source.addEventListener("refused", () => source.close());
    source.onerror = async () => {
      if (mine !== opened || source.readyState !== EventSource.CLOSED) return;
      // Refused for good by the server: signed out, or it has been started anew with another token.
      const answer = await fetch("/dashboard/assets/gnomon.svg", { cache: "no-store" }).catch(() => null);
      if (mine !== opened) return;
      if (answer && answer.ok && (await signedOut())) location.assign("/dashboard/login");
      else setTimeout(() => { if (mine === opened) connect(); }, 2000);
    };
  }

  async function signedOut() {
    const answer = await fetch("/dashboard/_dash-layout", { cache: "no-store" }).catch(() => null);
    return Boolean(answer) && answer.status === 401;
  }

  setInterval(() => {
    if (!late && performance.now() - lastFrame > LATE_MS) {
      late = true;
      draw();
    }
  }, 500);
  window.addEventListener("pagehide", () => { if (source) source.close(); });
  window.addEventListener("pageshow", event => { if (event.persisted) connect(); });

  function notice() {
    const root = document.querySelector("#page [data-page]");
    if (current && root === current.root) return;
    if (current && current.page && current.page.stop) current.page.stop();
    current = root ? { root, path: root.dataset.page, page: pages[root.dataset.page] } : null;
    for (const link of document.querySelectorAll(".nav-link")) {
      const here = current && link.getAttribute("href") === `/dashboard/${current.path}`;
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      if (here) link.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    if (!current) return;
    document.title = `${root.dataset.title} – gnomon`;
    if (current.page && current.page.start) current.page.start(root, live);
    connect(true);
    tellDash();
  }

  const listeners = [];
  window.gnomon = {
    live,
    listen(listener) { listeners.push(listener); },
    redraw: draw,
    page(path, page) {
      pages[path] = page;
      if (current && current.path === path) { current = null; notice(); }
    },
  };

  new MutationObserver(notice).observe(document.documentElement, { childList: true, subtree: true });
})();
