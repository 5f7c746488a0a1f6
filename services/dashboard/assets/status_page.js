// Status: the journal is read again with each command, and the twins are listed.
(function () {
  "use strict";

  const gnomon = window.gnomon;
  const HEADS = ["Twin", "Channel Access", "PV Access", "Process"];
  const AGAIN_MS = 1000; // the journal is read once in this time at the most
  let told = null, toldAt = 0;

  function servers(place, live) {
    const wanted = JSON.stringify(live.servers);
    if (!place || place.dataset.shown === wanted) return;
    place.dataset.shown = wanted;
    const table = document.createElement("table");
    table.className = "list";
    const head = table.createTHead().insertRow();
    for (const name of HEADS) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name;
      head.append(cell);
    }
    const body = table.createTBody();
    for (const [, label, ca, pva, process] of live.servers) {
      const row = body.insertRow();
      for (const text of [label, ca || "by the EPICS variables", pva, process]) row.insertCell().textContent = text;
    }
    place.replaceChildren(table);
  }

  gnomon.page("status", {
    start() { told = null; toldAt = 0; },
    frame(live, root) {
      servers(root.querySelector("#status-servers"), live);
      const last = live.get("status.journal.last");
      const count = last && last.fresh ? `${live.prefix} ${last.v}` : null;
      if (count === null || count === told || performance.now() - toldAt < AGAIN_MS || !window.dash_clientside.set_props) return;
      told = count;
      toldAt = performance.now();
      window.dash_clientside.set_props("status-commands", { data: count });
    },
  });
})();
