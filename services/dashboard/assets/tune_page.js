// The working point among the resonances, with its trail, and both tunes over time.
(function () {
  "use strict";

  const gnomon = window.gnomon;
  const KEPT = 1500, SHOWN_S = 600;
  const PLANES = ["x", "y"];
  const trails = {}; // by prefix: [{t, x, y}], null where the tunes were not known
  let seen = "";

  const tunesOf = (live, which) => PLANES.map(plane => live.get(`tune.${plane}`, which) || live.get(`tune.fraction.${plane}`, which));
  const known = tunes => tunes.every(tune => tune && tune.fresh && Number.isFinite(tune.v));

  // The trail grows whatever page is shown.
  gnomon.listen(live => {
    if (live.prefix === null) return;
    const tunes = tunesOf(live), trail = (trails[live.prefix] = trails[live.prefix] || []);
    const last = trail[trail.length - 1];
    if (!known(tunes)) {
      if (last && last.x !== null) trail.push({ t: Date.now(), x: null, y: null });
      return;
    }
    const [x, y] = tunes.map(tune => tune.v);
    if (last && last.x === x && last.y === y && Date.now() - last.t < 5000) return;
    trail.push({ t: Date.now(), x, y });
    if (trail.length > KEPT) trail.splice(0, trail.length - KEPT);
  });

  const term = (factor, name) => (factor === 0 ? "" : `${factor < 0 ? "−" : "+"} ${Math.abs(factor) === 1 ? "" : `${Math.abs(factor)} `}${name}`);
  const nameOf = (m, n, p) => `${[term(m, "Qx"), term(n, "Qy")].filter(Boolean).join(" ").replace(/^\+ /, "")} = ${p}`;

  // All resonances up to an order that cross a window: [{m, n, p, x: [..], y: [..], order}].
  function linesIn(lines, order, left, right, bottom, top) {
    const made = [];
    for (const [m, n] of new Map(lines.map(([m, n]) => [`${m},${n}`, [m, n]])).values()) {
      if (Math.abs(m) + Math.abs(n) > order) continue;
      const corners = [left, right].flatMap(x => [bottom, top].map(y => m * x + n * y));
      for (let p = Math.ceil(Math.min(...corners)); p <= Math.floor(Math.max(...corners)); ++p) {
        if (gcd(gcd(Math.abs(m), Math.abs(n)), Math.abs(p)) !== 1) continue; // it is one of lower order
        const ends = [];
        if (n) for (const x of [left, right]) ends.push([x, (p - m * x) / n]);
        if (m) for (const y of [bottom, top]) ends.push([(p - n * y) / m, y]);
        const inside = ends.filter(([x, y]) => x >= left - 1e-9 && x <= right + 1e-9 && y >= bottom - 1e-9 && y <= top + 1e-9);
        inside.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
        if (inside.length < 2) continue;
        const [start, end] = [inside[0], inside[inside.length - 1]];
        made.push({ m, n, p, order: Math.abs(m) + Math.abs(n), x: [start[0], end[0]], y: [start[1], end[1]] });
      }
    }
    return made;
  }
  function gcd(one, other) { return other ? gcd(other, one % other) : one; }

  function windowOf(x, y, width) {
    // The half-integer square that has the working point; a smaller window is centred on it, and moves in steps.
    if (width >= 0.5) return [Math.floor(x / width) * width, Math.floor(y / width) * width];
    const step = width / 2;
    return [Math.round(x / step) * step - width / 2, Math.round(y / step) * step - width / 2];
  }

  function diagram(live, page, tunes, problem) {
    const order = Number(page.querySelector("#tune-order").value), width = Number(page.querySelector("#tune-window").value);
    const lines = JSON.parse(page.querySelector("#tune-page").dataset.lines);
    const trail = (trails[live.prefix] || []).filter(each => each.x !== null);
    const last = trail[trail.length - 1];
    const beside = live.beside !== null ? tunesOf(live, "beside") : null;
    const at = problem ? last && [last.x, last.y] : tunes.map(tune => tune.v);
    if (!at) return gnomon.draw("tune-diagram", [], { xaxis: { title: "tune Qx" }, yaxis: { title: "tune Qy" } }, false, problem);
    const [left, bottom] = windowOf(at[0], at[1], width);
    const crossing = linesIn(lines, order, left, left + width, bottom, bottom + width);
    const traces = () => {
      const ink = gnomon.colour("faint");
      const made = crossing.map(line => ({
        x: line.x, y: line.y, mode: "lines", name: nameOf(line.m, line.n, line.p), hoverinfo: "name", showlegend: false,
        line: { color: ink, width: [0, 3, 2.4, 1.7, 1.1, 0.7][line.order], dash: line.n % 2 === 0 ? "solid" : "dash" },
        opacity: [0, 0.95, 0.9, 0.75, 0.55, 0.4][line.order],
      }));
      if (trail.length > 1) made.push({
        x: trail.map(each => each.x), y: trail.map(each => each.y), mode: "lines+markers", name: "trail", hoverinfo: "skip",
        line: { color: gnomon.colour("x"), width: 1 }, opacity: 0.75,
        marker: { size: 4, color: gnomon.colour("x"), opacity: trail.map((_, i) => 0.15 + 0.85 * ((i + 1) / trail.length)) },
      });
      if (beside && known(beside)) made.push({
        x: [beside[0].v], y: [beside[1].v], mode: "markers", name: gnomon.named(live.beside),
        marker: { size: 15, symbol: "circle-open", color: gnomon.colour("beside"), line: { width: 2.5 } },
        hovertemplate: `${gnomon.named(live.beside)}<br>Qx = %{x:.5f}<br>Qy = %{y:.5f}<extra></extra>`,
      });
      if (!problem) made.push({
        x: [at[0]], y: [at[1]], mode: "markers", name: gnomon.named(live.prefix),
        marker: { size: 14, symbol: "cross", color: gnomon.colour("y"), line: { color: gnomon.colour("panel"), width: 1.5 } },
        hovertemplate: `${gnomon.named(live.prefix)}<br>Qx = %{x:.5f}<br>Qy = %{y:.5f}<extra></extra>`,
      });
      return made;
    };
    const layout = () => ({
      xaxis: { title: "tune Qx", range: [left, left + width], showgrid: false, zeroline: false, constrain: "domain" },
      yaxis: { title: "tune Qy", range: [bottom, bottom + width], showgrid: false, zeroline: false, scaleanchor: "x", constrain: "domain" },
      uirevision: `${left} ${bottom} ${width}`,
    });
    gnomon.draw("tune-diagram", traces, layout, !problem, problem);
    const nearest = crossing.concat(linesIn(lines, order, at[0] - 0.25, at[0] + 0.25, at[1] - 0.25, at[1] + 0.25))
      .map(line => [Math.abs(line.m * at[0] + line.n * at[1] - line.p) / Math.hypot(line.m, line.n), line])
      .sort((one, other) => one[0] - other[0])[0];
    const shown = page.querySelector("#tune-nearest");
    shown.textContent = nearest && !problem ? nameOf(nearest[1].m, nearest[1].n, nearest[1].p) : "–";
    page.querySelector("#tune-distance").textContent = nearest && !problem ? `order ${nearest[1].order}, ${nearest[0].toFixed(4)} away` : "";
  }

  // Bounds of the machine's next tune, with the whole number of the one that is shown; null where there are none.
  function band(live, plane, tune) {
    const ends = ["lower", "upper"].map(end => live.get(`bound.tune.${end}.${plane}`));
    if (live.beside !== null || !known(ends) || !Number.isFinite(tune)) return null;
    return ends.map(end => end.v + Math.floor(tune));
  }

  function overTime(live, plane, problem) {
    const now = Date.now(), trail = (trails[live.prefix] || []).filter(each => each.t > now - SHOWN_S * 1000);
    const last = trail[trail.length - 1];
    const times = trail.map(each => new Date(each.t)), values = trail.map(each => each[plane]);
    if (last && last.x !== null && !problem) { times.push(new Date(now)); values.push(last[plane]); }
    const bounds = problem || !last ? null : band(live, plane, last[plane]);
    const numbers = [...values.filter(value => value !== null), ...(bounds || [])];
    const low = Math.min(...numbers), high = Math.max(...numbers), room = Math.max(0.15 * (high - low), 5e-5);
    const digits = numbers.length ? Math.max(2, Math.ceil(-Math.log10((high - low + 2 * room) / 8))) : 3;
    gnomon.draw(`tune-${plane}`, () => [{
      x: times, y: values, mode: "lines+markers", marker: { size: 3 }, line: { color: gnomon.colour(plane), width: 1.6, shape: "hv" },
      hovertemplate: `%{x|%H:%M:%S}<br>Q${plane} = %{y:.6f}<extra></extra>`, connectgaps: false,
    }], () => ({
      xaxis: { title: "time of day", type: "date", range: [new Date(Math.min(now - 30000, trail.length ? trail[0].t : now)), new Date(now)], tickformat: "%H:%M:%S", nticks: 5 },
      yaxis: { title: `tune Q${plane}`, tickformat: `.${digits}f`, nticks: 5, ...(numbers.length ? { range: [low - room, high + room] } : {}) },
      margin: { l: 84, r: 14, t: 10, b: 42 },
      shapes: bounds ? [{ type: "rect", xref: "paper", x0: 0, x1: 1, y0: bounds[0], y1: bounds[1], layer: "below",
        fillcolor: `${gnomon.colour("third")}40`, line: { color: gnomon.colour("third"), width: 1 } }] : [],
    }), !problem, problem);
  }

  gnomon.page("tunes", {
    beside: true,
    start(root) {
      seen = "";
      const page = root.querySelector("#tune-page");
      root.querySelector("#tune-order").value = page.dataset.order;
      const again = () => { seen = ""; gnomon.redraw(); };
      root.querySelector("#tune-order").addEventListener("change", again);
      root.querySelector("#tune-window").addEventListener("change", again);
      root.querySelector("#tune-clear").addEventListener("click", () => { trails[gnomon.live.prefix] = []; again(); });
    },
    frame(live, root) {
      gnomon.choice(root.querySelector("#beside-choice"), "beside", "nothing");
      const tunes = tunesOf(live), state = live.state();
      const bad = tunes.find(tune => !tune || !tune.fresh);
      const problem = !state.fresh ? state.why || "no connection" : known(tunes) ? ""
        : !bad ? "no tunes" : bad.gone ? "disconnected" : `INVALID${bad.a ? `: ${bad.a}` : ""}`;
      const keys = PLANES.flatMap(plane => [`tune.${plane}`, `tune.fraction.${plane}`, `bound.tune.lower.${plane}`, `bound.tune.upper.${plane}`]);
      const version = [live.prefix, live.beside, problem, live.version(keys), live.version(keys, "beside"), Math.floor(Date.now() / 1000)].join();
      if (version === seen) return;
      seen = version;
      diagram(live, root, tunes, problem);
      for (const plane of PLANES) overTime(live, plane, problem);
    },
  });
})();
