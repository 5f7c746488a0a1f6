// Power supplies: only the rows that are seen are in the page, however many there are.
(function () {
  "use strict";

  const gnomon = window.gnomon;
  const HEIGHT = 34; // of a row [px], as in the style sheet
  const SPARE = 6; // rows above and below those that are seen
  const NEAR = 0.9; // part of the way to a limit from which a row is marked
  const TOLERANCE = 5e-5; // of the range: a readback that deviates by more has not arrived
  const SORT_MS = 1000; // live values move rows at most this often

  let rows = [], text = "", onlyMarked = false;
  let sortKey = "", descending = false, sortedAt = 0, shown = [];
  let place = null, drawnFor = "";

  const number = entry => (entry && entry.fresh && typeof entry.v === "number" ? entry.v : NaN);

  // The values of a row, as they are now.
  function look(row) {
    const live = gnomon.live;
    const set = live.get(row.set), readback = row.readback ? live.get(row.readback) : null;
    const asked = number(set), is = number(readback);
    const lo = set ? set.lo : undefined, hi = set ? set.hi : undefined;
    const limited = lo !== undefined && hi > lo;
    const use = limited ? (asked - (lo + hi) / 2) / ((hi - lo) / 2) : NaN;
    const deviation = is - asked;
    const away = limited && Math.abs(deviation) > TOLERANCE * (hi - lo);
    const near = Math.abs(use) >= NEAR;
    const entries = row.readback ? [set, readback] : [set];
    const wrong = entries.find(entry => entry && (entry.gone || (entry.s || 0) > 0));
    const problems = [];
    if (away) problems.push("deviates");
    if (near) problems.push("near its limit");
    if (wrong) problems.push(wrong.gone ? "disconnected" : wrong.a || "alarm");
    return { row, set, readback, asked, is, deviation, lo, hi, use, away, near, marked: problems.length > 0, state: problems.join(", ") };
  }

  const order = {
    name: seen => seen.row.name, set: seen => seen.asked, readback: seen => seen.is,
    deviation: seen => Math.abs(seen.deviation), use: seen => Math.abs(seen.use), state: seen => seen.state,
  };

  function choose() {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let found = rows.filter(row => {
      const whole = `${row.name} ${row.set} ${row.readback}`.toLowerCase();
      return words.every(word => whole.includes(word));
    });
    if (onlyMarked) found = found.filter(row => look(row).marked);
    if (sortKey) {
      const keyed = found.map(row => [order[sortKey](look(row)), row]);
      const last = value => typeof value === "number" && Number.isNaN(value);
      keyed.sort(([a], [b]) => {
        if (last(a) || last(b)) return last(a) - last(b);
        const way = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
        return descending ? -way : way;
      });
      found = keyed.map(([, row]) => row);
    }
    shown = found;
    sortedAt = performance.now();
    const marked = rows.filter(row => look(row).marked).length;
    const count = document.getElementById("supplies-count");
    const told = rows.length ? `${shown.length} of ${rows.length}; marked: ${marked}` : "";
    if (count && count.textContent !== told) count.textContent = told;
  }

  function cell(line, key) {
    const made = document.createElement("td");
    made.className = `c-${key}`;
    line.append(made);
    return made;
  }

  function makeLine() {
    const line = document.createElement("tr");
    for (const key of Object.keys(order)) {
      const made = cell(line, key);
      if (key === "set" || key === "readback") made.innerHTML = '<span class="value"></span>';
      if (key === "use") made.innerHTML = '<span class="bar"><span class="mark"></span></span><span class="part"></span>';
    }
    return line;
  }

  // Digits that show a step of a tolerance, as wide as the largest value needs.
  function digitsOf(seen) {
    const range = seen.hi - seen.lo;
    return range > 0 ? Math.max(0, Math.min(9, Math.ceil(-Math.log10(TOLERANCE * range)) + 1)) : 4;
  }

  function fill(line, seen) {
    const [name, set, readback, deviation, use, state] = line.children;
    if (name.textContent !== seen.row.name) { name.textContent = seen.row.name; name.title = `${gnomon.live.prefix}${seen.row.set}`; }
    const digits = digitsOf(seen);
    const asText = value => (typeof value === "number" ? gnomon.number(value, digits) : String(value));
    gnomon.show(set.firstChild, seen.set, asText);
    if (seen.row.readback) gnomon.show(readback.firstChild, seen.readback, asText);
    else { readback.firstChild.textContent = "none"; readback.firstChild.dataset.state = "none"; }
    const away = Number.isFinite(seen.deviation) ? `${gnomon.number(seen.deviation, digits)}\u202f${seen.row.unit}` : "–";
    if (deviation.textContent !== away) deviation.textContent = away;
    const part = Number.isFinite(seen.use) ? `${Math.round(100 * seen.use)}\u202f%`.replace("-", "−") : "–";
    if (use.lastChild.textContent !== part) {
      use.lastChild.textContent = part;
      use.firstChild.firstChild.style.left = `${50 + 50 * Math.max(-1, Math.min(1, seen.use || 0))}%`;
      use.firstChild.hidden = !Number.isFinite(seen.use);
    }
    const limits = seen.hi > seen.lo ? `limits ${seen.lo} to ${seen.hi} ${seen.row.unit}` : "no limits";
    if (use.title !== limits) use.title = limits;
    if (state.textContent !== seen.state) state.textContent = seen.state;
    line.classList.toggle("away", seen.away);
    line.classList.toggle("near", seen.near);
    line.classList.toggle("marked", seen.marked);
  }

  function draw() {
    const body = document.getElementById("supplies-rows");
    if (!body || !place) return;
    if (sortKey || onlyMarked || !sortedAt) {
      if (performance.now() - sortedAt > SORT_MS) choose();
    } else if (performance.now() - sortedAt > SORT_MS) choose();
    const first = Math.max(0, Math.floor(place.scrollTop / HEIGHT) - SPARE);
    const many = Math.ceil(place.clientHeight / HEIGHT) + 2 * SPARE;
    const part = shown.slice(first, first + many);
    let lines = [...body.querySelectorAll("tr:not(.space)")];
    if (!body.querySelector(".space")) {
      for (const where of ["append", "append"]) {
        const space = document.createElement("tr");
        space.className = "space";
        space.innerHTML = `<td colspan="${Object.keys(order).length}"></td>`;
        body[where](space);
      }
    }
    const [above, below] = body.querySelectorAll(".space");
    while (lines.length < part.length) { const line = makeLine(); body.insertBefore(line, below); lines.push(line); }
    while (lines.length > part.length) lines.pop().remove();
    above.firstChild.style.height = `${first * HEIGHT}px`;
    below.firstChild.style.height = `${(shown.length - first - part.length) * HEIGHT}px`;
    part.forEach((row, i) => fill(lines[i], look(row)));
  }

  function sortBy(key) {
    if (sortKey === key) { descending = !descending; } else { sortKey = key; descending = key !== "name" && key !== "set"; }
    for (const head of document.querySelectorAll(".supplies th")) {
      const mine = head.dataset.key === sortKey;
      if (mine) head.setAttribute("aria-sort", descending ? "descending" : "ascending"); else head.removeAttribute("aria-sort");
    }
    choose();
    draw();
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.gnomon = Object.assign(window.dash_clientside.gnomon || {}, {
    supplies(found, searched, only) {
      rows = found || [];
      text = searched || "";
      onlyMarked = Boolean(only && only.length);
      if (place) place.scrollTop = 0;
      choose();
      draw();
      return rows.length;
    },
  });

  gnomon.page("supplies", {
    start() { place = null; sortKey = ""; descending = false; sortedAt = 0; },
    frame(live, root) {
      if (!place) {
        place = root.querySelector("#supplies-scroll");
        if (!place) return;
        place.addEventListener("scroll", draw, { passive: true });
        for (const head of root.querySelectorAll(".supplies th")) head.addEventListener("click", () => sortBy(head.dataset.key));
      }
      draw();
    },
    stop() { place = null; },
  });
})();
