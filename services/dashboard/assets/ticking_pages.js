// Pages that Dash fills anew when a live value changes: the journal with its last command, faults with their list.
(function () {
  "use strict";

  const gnomon = window.gnomon;
  const PAUSE_MS = 400; // between two fills

  function ticking(path, keys, store) {
    let seen = null, told = 0, waiting = null;
    const tell = () => {
      waiting = null;
      told = performance.now();
      window.dash_clientside.set_props(store, { data: Date.now() });
    };
    gnomon.page(path, {
      start() { seen = null; },
      stop() { clearTimeout(waiting); waiting = null; },
      frame(live) {
        const state = live.prefix + keys.map(key => { const entry = live.get(key); return entry && entry.fresh ? JSON.stringify(entry.v) : "?"; }).join();
        if (state === seen) return;
        const first = seen === null;
        seen = state;
        if (first || waiting !== null) return; // Dash has just filled it, or is about to
        waiting = setTimeout(tell, Math.max(0, PAUSE_MS - (performance.now() - told)));
      },
    });
  }

  ticking("journal", ["status.journal.last"], "journal-tick");
  ticking("faults", ["faults.count", "faults.active"], "faults-tick");
})();
