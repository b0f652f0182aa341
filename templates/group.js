'use strict';
(() => {
  const DATA = JSON.parse(document.getElementById('data').textContent);
  const $ = (id) => document.getElementById(id);
  const STEP = 60, WIDTH = 640;
  const PALETTE = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#999933', '#882255'];
  const FIELDS = ['name', 'measure', 'atlas', 'space', 'region', 'column', 'title', 'unit', 'about', 'reference', 'factor',
    'n', 'missing', 'min', 'q1', 'median', 'q3', 'max', 'mad', 'scale', 'outliers'];
  const view = { session: 0, column: null, shown: STEP, people: 20, sort: 'place', down: false, who: null, full: false };
  const join = { columns: [], rows: null, by: '' };

  // ---- small things
  function el(tag, attributes, ...children) {
    const svg = ['svg', 'g', 'path', 'rect', 'line', 'circle', 'text', 'title'].includes(tag) || (attributes && attributes.svg);
    const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === 'svg' || value === null || value === undefined || value === false) continue;
      if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? '' : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }
  const digits = new Intl.NumberFormat('en', { maximumSignificantDigits: 5 });
  const counts = new Intl.NumberFormat('en');
  function show(x) {
    if (x === null || x === undefined) return '–';
    const size = Math.abs(x);
    return size !== 0 && (size >= 1e7 || size < 1e-4) ? x.toExponential(3) : digits.format(x);
  }
  const plural = (n, word) => `${counts.format(n)} ${word}${n === 1 ? '' : 's'}`;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function tip(text, event) {
    const box = $('tip');
    box.hidden = !text;
    if (!text) return;
    box.textContent = text;
    const { offsetWidth: w, offsetHeight: h } = box;
    box.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - w - 8))}px`;
    box.style.top = `${event.clientY + 18 + h > innerHeight ? event.clientY - h - 10 : event.clientY + 18}px`;
  }

  // ---- data
  const sessions = DATA.sessions.map((raw, place) => {
    const values = JSON.parse($(`values-${place}`).textContent);
    const columns = raw.columns.map((list, id) => {
      const column = { id, place: id };
      FIELDS.forEach((field, k) => { column[field] = k >= 1 && k <= 9 ? raw.texts[list[k]] : list[k]; });
      const held = values[id];
      column.rows = Array.isArray(held) ? null : held.i;
      column.values = Array.isArray(held) ? held : held.v;
      rescale(column);
      column.variant = column.atlas || column.space;
      column.group = [words(column.measure), column.variant].filter(Boolean).join(' · ');
      column.label = column.region || column.title;
      column.kind = [column.group, column.region && column.title].filter(Boolean).join(' · ');
      column.haystack = [column.name, column.group, column.label, column.title, column.about, column.unit].join(' ').toLowerCase();
      column.off = new Map();
      return column;
    });
    const people = raw.participants.map((label, id) => ({ id, label, link: raw.links[id], off: [] }));
    for (const [row, id, score] of raw.outliers) {
      columns[id].off.set(row, score);
      people[row].off.push([id, score]);
    }
    return { ...raw, columns, people, points: columns.map(() => null) };
  });
  /** The page holds the numbers of the tables; readers see some in another unit. */
  function rescale(column) {
    if (column.factor === 1) return;
    const scaled = (x) => (x === null ? null : x * column.factor);
    for (const field of ['min', 'q1', 'median', 'q3', 'max', 'mad', 'scale']) column[field] = scaled(column[field]);
    column.values = column.values.map(scaled);
  }
  function fullName(column) { return column.region ? `${column.region}: ${column.title}` : column.title; }
  function words(text) { return (text || '').replaceAll('_', ' '); }
  const now = () => sessions[view.session];
  /** Of fewer values, quartiles and a box would say more than is known: only points are drawn. */
  function isMany(column) { return column.n >= DATA.fewest; }
  function points(column) {
    const list = [];
    column.values.forEach((value, k) => {
      if (value !== null) list.push({ row: column.rows ? column.rows[k] : k, value });
    });
    return list;
  }
  /** The part of the axis that shows the bulk: one far value must not squeeze all others. */
  function range(column, full) {
    let { min, max } = column;
    if (!full && column.scale) {
      if (column.median - min > 15 * column.scale) min = column.median - 8 * column.scale;
      if (max - column.median > 15 * column.scale) max = column.median + 8 * column.scale;
    }
    if (max > min) return [min, max];
    const pad = Math.abs(min) * 0.05 || 1;
    return [min - pad, max + pad];
  }
  function person(who, text) {
    const name = text || `sub-${who.label}`;
    return who.link ? el('a', { href: encodeURI(who.link), title: 'Open the report of this participant' }, name)
      : el('span', { title: 'There is no report of this participant' }, name);
  }

  function visit(link, event) {
    if (!link) return;
    if (event.ctrlKey || event.metaKey) window.open(encodeURI(link));
    else location.href = encodeURI(link);
  }

  // ---- overview
  const HEADS = [['label', 'Measure', ''], ['', 'Distribution', ''], ['n', 'n', 'number'], ['', 'Median', 'number'], ['', 'MAD', 'number'],
    ['', 'Min', 'number'], ['', 'Max', 'number'], ['missing', 'Missing', 'number'], ['outliers', 'Outliers', 'number']];
  function strip(column) {
    const w = 190, h = 26, svg = el('svg', { class: 'strip', viewBox: `0 0 ${w} ${h}`, 'aria-hidden': true });
    if (!column.n) return svg;
    const [low, high] = range(column);
    const x = (v) => 5 + (Math.min(Math.max(v, low), high) - low) / (high - low) * (w - 10);
    const all = points(column);
    const ticks = all.filter((p) => !column.off.has(p.row)).map((p) => `M${x(p.value).toFixed(1)} 8v10`).join('');
    if (isMany(column)) svg.append(el('rect', { class: 'band', x: x(column.q1), y: 4, width: Math.max(x(column.q3) - x(column.q1), 1), height: 18, rx: 2 }));
    svg.append(el('path', { class: 'ticks', d: ticks, 'stroke-opacity': Math.max(0.12, Math.min(0.8, 14 / Math.sqrt(all.length) / 2)) }));
    if (isMany(column)) svg.append(el('line', { class: 'mid', x1: x(column.median), x2: x(column.median), y1: 3, y2: 23 }));
    for (const p of all) if (column.off.has(p.row)) svg.append(el('circle', { class: 'off', cx: x(p.value), cy: 13, r: 2.6 }));
    for (const p of all) if (p.row === view.who) svg.append(el('circle', { class: 'me', cx: x(p.value), cy: 13, r: 4 }));
    return svg;
  }
  function chosen() {
    const terms = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const group = $('group').value, only = $('only').checked;
    const list = now().columns.filter((c) => (!group || c.group === group) && (!only || c.outliers > 0)
      && terms.every((term) => c.haystack.includes(term)));
    const key = view.sort, sign = view.down ? -1 : 1;
    if (key === 'label') list.sort((a, b) => sign * a.label.localeCompare(b.label, 'en', { numeric: true }) || a.place - b.place);
    else if (key !== 'place') list.sort((a, b) => sign * (a[key] - b[key]) || a.place - b.place);
    else list.sort((a, b) => (a.n === 0) - (b.n === 0) || a.place - b.place); // what nobody has, last
    return list;
  }
  function cell(number, hot) { return el('td', { class: `number ${number ? (hot ? 'hot' : '') : 'zero'}` }, counts.format(number)); }
  function line(column) {
    const select = () => choose(column);
    return el('tr', { tabindex: -1, 'data-name': column.name, 'aria-selected': String(view.column === column), onclick: select,
      onkeydown: (event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); select(); } } },
    el('td', { class: 'name', title: column.name }, el('b', {}, column.label), el('small', {}, column.kind)),
    el('td', {}, strip(column)),
    el('td', { class: 'number' }, counts.format(column.n)),
    el('td', { class: 'number' }, show(column.median), column.unit ? el('span', { class: 'unit' }, ` ${column.unit}`) : null),
    el('td', { class: 'number' }, show(column.mad)), el('td', { class: 'number' }, show(column.min)), el('td', { class: 'number' }, show(column.max)),
    cell(column.missing, false), cell(column.outliers, true));
  }
  function overview() {
    const list = chosen(), body = $('overview').tBodies[0];
    const heads = HEADS.map(([key, text, kind]) => {
      const sorted = key && view.sort === key ? (view.down ? 'descending' : 'ascending') : null;
      return el('th', { class: kind, scope: 'col', 'aria-sort': sorted, 'data-text': key ? text : null }, key ? el('button', { type: 'button', onclick: () => sort(key) }, text) : text);
    });
    $('overview').tHead.rows[0].replaceChildren(...heads);
    body.replaceChildren(...list.slice(0, view.shown).map(line));
    reach();
    if (!list.length) body.append(el('tr', {}, el('td', { class: 'empty', colspan: HEADS.length }, now().columns.length ? 'No measure fits.' : 'There is no measure.')));
    $('count').textContent = `${counts.format(list.length)} of ${plural(now().columns.length, 'measure')}`;
    if (list.length > view.shown) {
      body.append(el('tr', { class: 'rest' }, el('td', { colspan: HEADS.length, class: 'empty' },
        el('button', { type: 'button', class: 'button', id: 'more', onclick: grow }, `Show ${counts.format(list.length - view.shown)} more`))));
    }
    return list;
  }
  /** One row is a tab stop, the chosen one if it is there; arrow keys lead to the others. */
  function reach() {
    const rows = [...$('overview').tBodies[0].rows].filter((row) => row.dataset.name);
    const stop = rows.find((row) => row.getAttribute('aria-selected') === 'true') || rows[0];
    for (const row of rows) row.tabIndex = row === stop ? 0 : -1;
  }
  function grow() { view.shown += STEP; overview(); }
  function sort(key) {
    if (view.sort !== key) { view.sort = key; view.down = key !== 'label'; }
    else if (view.down === (key !== 'label')) view.down = !view.down;
    else { view.sort = 'place'; view.down = false; }
    overview();
  }
  function choose(column, scroll) {
    view.column = column;
    view.full = false;
    for (const row of $('overview').tBodies[0].rows) row.setAttribute('aria-selected', row.dataset.name === (column && column.name));
    reach();
    detail();
    if (column) history.replaceState(null, '', `#m=${encodeURIComponent(column.name)}`);
    if (scroll || innerWidth < 1120) $('measures').scrollIntoView();
  }
  function step(by) {
    const list = chosen(), place = list.indexOf(view.column);
    const next = list[Math.min(Math.max(place + by, 0), list.length - 1)];
    if (!next) return;
    if (list.indexOf(next) >= view.shown) { view.shown = list.indexOf(next) + STEP; overview(); }
    choose(next);
    const row = [...$('overview').tBodies[0].rows].find((r) => r.dataset.name === next.name);
    if (!row) return;
    if ($('list').contains(document.activeElement)) row.focus({ preventScroll: true });
    $('list').scrollTop = Math.max(0, row.offsetTop - $('list').clientHeight / 2);
  }

  // ---- one measure
  function niceTicks(low, high, most) {
    const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
    const gap = [1, 2, 2.5, 5, 10].map((k) => k * power).find((g) => g >= raw * 0.999);
    const list = [];
    for (let k = Math.ceil(low / gap - 1e-9); k * gap <= high + gap * 1e-9; k++) list.push(k * gap);
    return list;
  }
  /** The same jitter for the same row, whenever the page is opened. */
  function jitter(row) { const x = Math.sin((row + 1) * 12.9898) * 43758.5453; return x - Math.floor(x) - 0.5; }
  function plot(column) {
    const W = WIDTH, H = 312, left = 24, right = W - 24, base = 92, boxY = 104, boxH = 26, stripY = 198, stripH = 92, axis = 262;
    const [low, high] = range(column, view.full), pad = (high - low) * 0.02;
    const x = (v) => left + (v - low + pad) / (high - low + 2 * pad) * (right - left);
    const clip = (v) => Math.min(Math.max(v, low), high);
    const list = points(column), svg = el('svg', { class: 'plot', viewBox: `0 0 ${W} ${H}`, role: 'img',
      'aria-label': `Distribution of ${fullName(column)}: median ${show(column.median)}, from ${show(column.min)} to ${show(column.max)}` });
    for (const v of niceTicks(low, high, 6)) {
      svg.append(el('line', { class: 'grid', x1: x(v), x2: x(v), y1: 8, y2: axis }),
        el('text', { x: x(v), y: axis + 16, 'text-anchor': 'middle' }, show(Number(v.toPrecision(10)))));
    }
    svg.append(el('line', { class: 'axis', x1: left, x2: right, y1: axis, y2: axis }),
      el('text', { x: (left + right) / 2, y: H - 8, 'text-anchor': 'middle' }, column.unit ? `${column.title} [${column.unit}]` : column.title));
    bars(svg, column, list, low, high, x, base);
    if (column.scale && isMany(column)) {
      for (const v of [column.median - DATA.threshold * column.scale, column.median + DATA.threshold * column.scale]) {
        if (v >= low && v <= high) svg.append(el('line', { class: 'fence', x1: x(v), x2: x(v), y1: 8, y2: axis }));
      }
    }
    box(svg, column, list, clip, x, boxY, boxH);
    const colour = colours();
    const dots = list.map((p) => ({ ...p, x: x(clip(p.value)), y: stripY + jitter(p.row) * stripH, out: column.off.has(p.row) }));
    for (const p of dots) {
      if (p.out) continue;
      const fill = colour && colour.of(p.row);
      svg.append(el('circle', { class: 'point', cx: p.x.toFixed(1), cy: p.y.toFixed(1), r: list.length > 400 ? 2 : isMany(column) ? 3 : 5, style: fill ? `fill:${fill};fill-opacity:.8` : null }));
    }
    tags(svg, column, dots, low, high, colour);
    svg.addEventListener('mousemove', (event) => hover(svg, column, dots, event));
    svg.addEventListener('mouseleave', () => tip(''));
    svg.addEventListener('click', (event) => {
      const p = nearest(svg, dots, event);
      if (p && !event.target.closest('a')) visit(now().people[p.row].link, event);
    });
    return svg;
  }
  function bars(svg, column, list, low, high, x, base) {
    const shown = list.filter((p) => p.value >= low && p.value <= high);
    if (shown.length < 8 || !column.scale) return;
    const n = Math.min(40, Math.max(8, Math.ceil(2 * Math.cbrt(shown.length) * 1.4))), bins = new Array(n).fill(0);
    for (const p of shown) bins[Math.min(n - 1, Math.floor((p.value - low) / (high - low) * n))]++;
    const top = Math.max(...bins), width = (x(high) - x(low)) / n;
    bins.forEach((k, place) => {
      if (k) svg.append(el('rect', { class: 'bar', x: x(low) + place * width, width, y: base - k / top * 80, height: k / top * 80 }));
    });
  }
  function box(svg, column, list, clip, x, y, h) {
    if (!isMany(column)) return;
    const reach = 1.5 * (column.q3 - column.q1), inside = list.map((p) => p.value).filter((v) => v >= column.q1 - reach && v <= column.q3 + reach);
    const ends = [Math.min(column.q1, ...inside), Math.max(column.q3, ...inside)].map((v) => x(clip(v)));
    const [a, b] = [x(clip(column.q1)), x(clip(column.q3))], mid = y + h / 2;
    svg.append(el('line', { class: 'whisker', x1: ends[0], x2: a, y1: mid, y2: mid }), el('line', { class: 'whisker', x1: b, x2: ends[1], y1: mid, y2: mid }));
    for (const e of ends) svg.append(el('line', { class: 'whisker', x1: e, x2: e, y1: y + 7, y2: y + h - 7 }));
    svg.append(el('rect', { class: 'box', x: a, y, width: Math.max(b - a, 1), height: h, rx: 2 }),
      el('line', { class: 'mid', x1: x(column.median), x2: x(column.median), y1: y, y2: y + h }));
  }
  function tags(svg, column, dots, low, high, colour) {
    const marked = dots.filter((p) => p.out || p.row === view.who)
      .sort((a, b) => (b.row === view.who) - (a.row === view.who) || Math.abs(column.off.get(b.row)) - Math.abs(column.off.get(a.row)));
    const taken = [];
    marked.forEach((p, rank) => {
      const who = now().people[p.row], far = p.value < low ? '◂ ' : p.value > high ? '▸ ' : '', mine = p.row === view.who;
      const parts = [el('circle', { class: p.out ? 'off' : 'point', cx: p.x.toFixed(1), cy: p.y.toFixed(1), r: 4, style: !p.out && colour && colour.of(p.row) ? `fill:${colour.of(p.row)}` : null })];
      if (mine) parts.push(el('circle', { class: 'me', cx: p.x.toFixed(1), cy: p.y.toFixed(1), r: 7 }));
      const width = (who.label.length + 4 + far.length) * 6.6 + 8, toLeft = p.x + width > WIDTH - 4;
      const text = toLeft ? `sub-${who.label}${far && ` ${far.trim()}`}` : `${far}sub-${who.label}`;
      const from = toLeft ? p.x - width - 2 : p.x + 5;
      const clash = taken.some((t) => Math.abs(t.y - p.y) < 12 && from < t.to && from + width > t.from);
      if (rank < 14 && !clash) {
        taken.push({ y: p.y, from, to: from + width });
        parts.push(el('text', { class: `tag${mine ? ' mine' : ''}`, x: toLeft ? p.x - 8 : p.x + 8, y: p.y + 4, 'text-anchor': toLeft ? 'end' : 'start' }, text));
      }
      if (!who.link) { svg.append(el('g', {}, parts)); return; }
      const link = el('a', { svg: true, href: encodeURI(who.link) }, parts);
      svg.append(link);
    });
  }
  function nearest(svg, dots, event) {
    const frame = svg.getBoundingClientRect(), zoom = WIDTH / frame.width;
    const mx = (event.clientX - frame.left) * zoom, my = (event.clientY - frame.top) * zoom;
    let best = null, least = 144;
    for (const p of dots) { const d = (p.x - mx) ** 2 + (p.y - my) ** 2; if (d < least) { least = d; best = p; } }
    return best;
  }
  function hover(svg, column, dots, event) {
    const p = nearest(svg, dots, event);
    svg.style.cursor = p && now().people[p.row].link ? 'pointer' : '';
    if (!p) return tip('');
    const score = column.off.get(p.row), extra = join.rows && join.by ? `, ${join.by}: ${(join.rows.get(now().people[p.row].label) || {})[join.by] ?? 'n/a'}` : '';
    return tip(`sub-${now().people[p.row].label}: ${show(p.value)}${column.unit ? ` ${column.unit}` : ''}${score ? `, ${score.toFixed(1)} scaled MAD from the median` : ''}${extra}${now().people[p.row].link ? '' : ': there is no report'}`, event);
  }
  function detail() {
    const column = view.column, host = $('detail');
    if (!column) { host.replaceChildren(el('p', { class: 'empty' }, 'There is no measure to show.')); return; }
    const [low, high] = range(column, view.full), all = points(column);
    // Values are rounded for the page, so the ends of an axis that is not cut off do not count.
    const hidden = all.filter((p) => (low > column.min && p.value < low) || (high < column.max && p.value > high)).length;
    const figures = [['n', counts.format(column.n)], ['median', show(column.median)], ['MAD', show(column.mad)], ['missing', counts.format(column.missing)],
      ['quartiles', `${show(column.q1)} – ${show(column.q3)}`], ['range', `${show(column.min)} – ${show(column.max)}`]];
    const web = /^https?:\/\//.test(column.reference);
    const head = el('div', { class: 'title' },
      el('div', {}, el('p', { class: 'path' }, column.group), el('h3', { title: column.name }, fullName(column))),
      el('div', { class: 'step' }, el('button', { type: 'button', class: 'button', title: 'Previous measure', 'aria-label': 'Previous measure', onclick: () => step(-1) }, '↑'),
        el('button', { type: 'button', class: 'button', title: 'Next measure', 'aria-label': 'Next measure', onclick: () => step(1) }, '↓')));
    const left = el('div', {}, column.n ? plot(column) : el('p', { class: 'empty' }, 'No participant has a value.'),
      column.n && now().people.some((p) => p.link) ? el('p', { class: 'about hint' }, 'A click on a point opens the report of that participant.') : null,
      el('div', { class: 'under' }, colourTools(), hidden ? el('p', { class: 'about' }, `${plural(hidden, 'value')} beyond the axis, drawn at its end. `,
        el('button', { type: 'button', class: 'chip', onclick: () => { view.full = true; detail(); } }, 'Show the full range')) : null,
      view.full ? el('button', { type: 'button', class: 'chip', onclick: () => { view.full = false; detail(); } }, 'Show the bulk only') : null));
    const right = el('div', {},
      el('p', { class: 'about' }, column.about, ' ', web ? el('a', { href: column.reference, rel: 'noreferrer' }, 'Reference') : null),
      el('dl', { class: 'values' }, figures.map(([name, text]) => el('div', {}, el('dt', {}, name), el('dd', {}, text)))),
      outlierTable(column, all), reasonsOf(column), el('code', { class: 'id' }, column.name));
    host.replaceChildren(head, left, right);
  }
  function outlierTable(column, all) {
    const off = [...column.off].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])), value = new Map(all.map((p) => [p.row, p.value]));
    if (!off.length) return null;
    return el('div', { class: 'offs' }, el('table', {},
      el('thead', {}, el('tr', {}, el('th', {}, plural(off.length, 'outlier')), el('th', { class: 'number' }, 'value'), el('th', { class: 'number' }, 'scaled MAD'))),
      el('tbody', {}, off.slice(0, 100).map(([row, score]) => el('tr', { class: row === view.who ? 'mine' : '' }, el('td', {}, person(now().people[row])),
        el('td', { class: 'number' }, show(value.get(row))), el('td', { class: 'number hot' }, signed(score)))))));
  }
  const signed = (score) => `${score > 0 ? '+' : '−'}${Math.abs(score).toFixed(1)}`;
  function reasonsOf(column) {
    const list = now().missing[column.id];
    if (!list) return null;
    return el('ul', { class: 'reasons' }, list.map(([place, n]) => el('li', {}, `${counts.format(n)} missing: ${now().reasons[place]}`)));
  }

  // ---- colour by a column of participants.tsv, which never leaves the browser
  function colours() {
    if (!join.rows || !join.by) return null;
    const values = now().people.map((p) => (join.rows.get(p.label) || {})[join.by]);
    const known = values.filter((v) => v !== undefined && v !== 'n/a' && v !== '');
    const numbers = known.map(Number), levels = [...new Set(known)].sort();
    if (levels.length > PALETTE.length && numbers.every(Number.isFinite)) {
      const low = Math.min(...numbers), high = Math.max(...numbers);
      const ramp = (v) => `hsl(${260 - 215 * (v - low) / (high - low || 1)} 65% ${matchMedia('(prefers-color-scheme: dark)').matches ? 62 : 45}%)`;
      return { of: (row) => (values[row] === undefined || values[row] === 'n/a' ? css('--fill-skipped') : ramp(Number(values[row]))), key: [[ramp(low), show(low)], [ramp((low + high) / 2), show((low + high) / 2)], [ramp(high), show(high)]] };
    }
    const of = (value) => { const k = levels.indexOf(value); return k < 0 || k >= PALETTE.length ? css('--fill-skipped') : PALETTE[k]; };
    return { of: (row) => of(values[row]), key: levels.slice(0, PALETTE.length).map((level) => [of(level), level]) };
  }
  function colourTools() {
    const input = el('input', { type: 'file', accept: '.tsv,.txt', id: 'people-file', onchange: async (event) => {
      const [header, ...rows] = (await event.target.files[0].text()).replace(/\r/g, '').split('\n').filter(Boolean).map((row) => row.split('\t'));
      join.columns = header.filter((name) => name !== 'participant_id');
      join.rows = new Map(rows.map((row) => [row[header.indexOf('participant_id')].replace(/^sub-/, ''), Object.fromEntries(header.map((name, k) => [name, row[k]]))]));
      join.by = join.columns[0] || '';
      detail();
    } });
    const parts = [el('label', { class: 'button', title: 'The file is read in this browser only; nothing of it is stored or sent.' }, join.rows ? 'Other file …' : 'Colour by participants.tsv …', input)];
    if (join.rows) {
      const menu = el('select', { 'aria-label': 'Colour by', onchange: (event) => { join.by = event.target.value; detail(); } },
        ['', ...join.columns].map((name) => el('option', { value: name, selected: name === join.by }, name || 'no colour')));
      const key = colours();
      parts.push(menu, ...(key ? key.key.map(([colour, text]) => el('span', { class: 'key' }, el('i', { style: `background:${colour}` }), text)) : []));
    }
    return el('div', { class: 'colour' }, parts);
  }

  // ---- participants
  function ranking() {
    const list = now().people.filter((p) => p.off.length || p.id === view.who);
    const furthest = (p) => Math.max(0, ...p.off.map(([, score]) => Math.abs(score)));
    list.sort((a, b) => b.off.length - a.off.length || furthest(b) - furthest(a) || a.label.localeCompare(b.label, 'en', { numeric: true }));
    const most = list.length ? Math.max(...list.map((p) => p.off.length), 1) : 1, table = $('ranking');
    table.tHead.replaceChildren(el('tr', {}, el('th', {}, 'Participant'), el('th', { class: 'number' }, 'Outliers'), el('th', {}), el('th', {}, 'Furthest from the median'), el('th', {})));
    table.tBodies[0].replaceChildren(...list.slice(0, view.people).map((p) => {
      const far = [...p.off].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 4);
      const share = `${(100 * p.off.length / now().columns.length).toFixed(1)} % of the measures`;
      return el('tr', { class: p.id === view.who ? 'mine' : '', 'data-participant': p.label },
        el('td', {}, person(p)), el('td', { class: 'number', title: share }, counts.format(p.off.length)),
        el('td', { title: share }, el('span', { class: 'meter', style: `width:${(140 * p.off.length / most).toFixed(0)}px` })),
        el('td', {}, far.map(([id, score]) => { const c = now().columns[id];
          return el('button', { type: 'button', class: 'chip', title: c.name, onclick: () => { highlight(p.id); choose(c, true); } }, `${fullName(c)}${c.region ? '' : ` (${c.group})`} `, el('em', {}, signed(score))); })),
        el('td', { class: 'number' }, el('button', { type: 'button', class: 'chip', onclick: () => highlight(p.id === view.who ? null : p.id) }, p.id === view.who ? 'highlighted' : 'highlight')));
    }));
    if (!list.length) table.tBodies[0].append(el('tr', {}, el('td', { class: 'empty', colspan: 5 }, now().people.length < DATA.fewest ? `Fewer than ${DATA.fewest} participants: nobody can stand apart.` : 'No outliers.')));
    $('more-people').hidden = list.length <= view.people;
    $('more-people').textContent = `Show ${Math.min(50, list.length - view.people)} more of ${counts.format(list.length)}`;
  }
  function highlight(row) {
    view.who = row;
    $('clear').hidden = row === null;
    $('who').value = row === null ? '' : `sub-${now().people[row].label}`;
    overview(); detail(); ranking();
  }

  // ---- status
  const NAMES = { d: 'done', s: 'skipped', n: 'not available', f: 'failed', ' ': 'not planned' };
  const WORSE = { f: 3, n: 2, s: 1, d: 0, ' ': 0 };
  const unitName = ([measure, variant]) => [words(measure), variant].filter(Boolean).join(' · ');
  const rowName = ([participant, session]) => `sub-${participant}${session ? ` ses-${session}` : ''}`;
  const links = new Map(sessions.flatMap((s) => s.people.map((p) => [p.label, p.link])));
  function weight(codes) { let sum = 0; for (const code of codes) sum += code === 'f' ? 1000 : WORSE[code]; return sum; }
  function grid() {
    const { units, rows, codes, reasons, notes } = DATA.status, host = $('grid');
    const order = rows.map((_, k) => k).sort((a, b) => weight(codes[b]) - weight(codes[a]) || a - b);
    const room = host.clientWidth || 900, label = Math.min(240, 24 + 6.6 * Math.max(0, ...units.map((u) => unitName(u).length)));
    const w = Math.max(3, Math.min(26, Math.floor((room - label - 12) / Math.max(rows.length, 1))));
    const fit = Math.min(rows.length, Math.max(1, Math.floor((room - label - 12) / w))), h = 18, named = w >= 16;
    const top = named ? 14 + 6.4 * Math.max(0, ...order.slice(0, fit).map((k) => rowName(rows[k]).length)) * 0.72 : 6;
    const sizes = [label + fit * w + (named ? 60 : 12), top + units.length * h + 4], ratio = window.devicePixelRatio || 1;
    const canvas = el('canvas', { width: sizes[0] * ratio, height: sizes[1] * ratio, role: 'img', style: `width:${sizes[0]}px;height:${sizes[1]}px`, 'aria-label': 'Status of every unit of work; the table below lists what is not done' });
    const g = canvas.getContext('2d');
    g.scale(ratio, ratio);
    g.font = '12px system-ui, sans-serif';
    const fill = { d: css('--fill-done'), s: css('--fill-skipped'), n: css('--fill-absent'), f: css('--fill-failed') }, ink = css('--soft'), gap = w > 6 ? 1.5 : 0;
    units.forEach((unit, u) => {
      g.fillStyle = ink; g.textAlign = 'right'; g.textBaseline = 'middle';
      g.fillText(unitName(unit), label - 8, top + u * h + h / 2, label - 10);
      for (let k = 0; k < fit; k++) {
        const code = codes[order[k]][u] || ' ';
        if (code === ' ') continue;
        g.fillStyle = fill[code];
        g.fillRect(label + k * w, top + u * h + 1, w - gap, h - 2);
      }
    });
    if (named) {
      g.textAlign = 'left'; g.fillStyle = ink; g.font = '11px system-ui, sans-serif';
      for (let k = 0; k < fit; k++) { g.save(); g.translate(label + k * w + w / 2, top - 5); g.rotate(-Math.PI / 4); g.fillText(rowName(rows[order[k]]), 0, 0); g.restore(); }
    }
    const at = (event) => {
      const frame = canvas.getBoundingClientRect(), k = Math.floor((event.clientX - frame.left - label) / w), u = Math.floor((event.clientY - frame.top - top) / h);
      return k >= 0 && k < fit && u >= 0 && u < units.length ? [order[k], u] : null;
    };
    canvas.addEventListener('mousemove', (event) => {
      const hit = at(event);
      if (!hit) return tip('');
      const note = notes[hit[0]][hit[1]];
      return tip(`${rowName(rows[hit[0]])}, ${unitName(units[hit[1]])}: ${NAMES[codes[hit[0]][hit[1]] || ' ']}${note === undefined ? '' : `: ${reasons[note]}`}`, event);
    });
    canvas.addEventListener('mouseleave', () => tip(''));
    canvas.addEventListener('click', (event) => { const hit = at(event); visit(hit && links.get(rows[hit[0]][0]), event); });
    host.replaceChildren(canvas);
    $('grid-note').textContent = fit < rows.length
      ? `One column per participant, most problems first; the first ${counts.format(fit)} of ${counts.format(rows.length)} are drawn. A click opens the report.`
      : 'One column per participant, most problems first. A click opens the report.';
  }
  function faults() {
    const { units, rows, codes, reasons, notes } = DATA.status, found = new Map();
    rows.forEach((row, k) => [...codes[k]].forEach((code, u) => {
      if (code === 'd' || code === ' ') return;
      const note = notes[k][u], key = `${code}|${note}`;
      if (!found.has(key)) found.set(key, { code, reason: note === undefined ? '' : reasons[note], units: new Set(), who: new Map() });
      found.get(key).units.add(u);
      found.get(key).who.set(rowName(row), row[0]);
    }));
    const list = [...found.values()].sort((a, b) => WORSE[b.code] - WORSE[a.code] || b.who.size - a.who.size);
    const table = $('faults');
    $('faults-box').hidden = !list.length;
    table.tHead.replaceChildren(el('tr', {}, ['Status', 'Participants', 'Reason', 'Units', 'Who'].map((text, k) => el('th', { class: k === 1 ? 'number' : '' }, text))));
    table.tBodies[0].replaceChildren(...list.slice(0, 200).map((item) => el('tr', {},
      el('td', { style: 'white-space:nowrap' }, el('i', { class: `cell ${NAMES[item.code].replace(' ', '_')}` }), NAMES[item.code]),
      el('td', { class: 'number' }, counts.format(item.who.size)), el('td', {}, item.reason || '–'),
      el('td', {}, some([...item.units].map((u) => unitName(units[u])), 5)),
      el('td', { class: 'people' }, [...item.who].slice(0, 8).map(([name, label]) => person({ label, link: links.get(label) }, name)), item.who.size > 8 ? `and ${item.who.size - 8} more` : null))));
  }
  function some(list, most) { return list.slice(0, most).join(', ') + (list.length > most ? ` and ${list.length - most} more` : ''); }
  function gaps() {
    const { reasons, totals, missing, columns } = now(), groups = reasons.map(() => new Set()), table = $('gaps');
    for (const [id, list] of Object.entries(missing)) for (const [place] of list) groups[place].add(columns[id].group);
    const order = reasons.map((_, k) => k).sort((a, b) => totals[b][0] - totals[a][0]);
    table.tHead.replaceChildren(el('tr', {}, ['Reason', 'Values', 'Participants', 'Measures'].map((text, k) => el('th', { class: k === 1 || k === 2 ? 'number' : '' }, text))));
    table.tBodies[0].replaceChildren(...order.slice(0, 100).map((k) => el('tr', {}, el('td', {}, reasons[k]), el('td', { class: 'number' }, counts.format(totals[k][0])),
      el('td', { class: 'number' }, counts.format(totals[k][1])), el('td', {}, some([...groups[k]], 4)))));
    if (!order.length) table.tBodies[0].append(el('tr', {}, el('td', { class: 'empty', colspan: 4 }, 'Every participant has a value of every measure.')));
    else if (order.length > 100) table.tBodies[0].append(el('tr', {}, el('td', { class: 'empty', colspan: 4 }, `and ${order.length - 100} more reasons in the table of reasons`)));
  }

  // ---- tables of chapters: sort, search, save
  const collate = new Intl.Collator('en', { numeric: true }).compare;
  const NONE = new Set(['', '–', 'n/a']);
  /** The number that a cell is or begins with: '12.3 (1, 194)' has one, '17Networks_LH' has none. */
  function asNumber(text) {
    const found = text.replace(/−/g, '-').replace(/(\d),(?=\d{3})/g, '$1').match(/^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:$|[\s%(])/i);
    return found ? Number(found[1]) : null;
  }
  /** Cells as numbers where all that are told are numbers, else as words; what is not told is last. */
  function order(list, k, down) {
    const told = list.filter((row) => !NONE.has(row[k])), sign = down ? -1 : 1;
    const numbers = new Map(told.map((row) => [row, asNumber(row[k])])), words = [...numbers.values()].includes(null);
    told.sort((a, b) => sign * ((words ? 0 : numbers.get(a) - numbers.get(b)) || collate(a[k], b[k])));
    return [...told, ...list.filter((row) => NONE.has(row[k]))];
  }
  /** Rows as lists of text: those that the table has, or all of a long one, which lie beside it. */
  function rowsOf(table) {
    if (!table.dataset.rows) return [...table.tBodies[0].rows].map((row) => [...row.cells].map((one) => one.textContent.trim()));
    const { rows, columns } = JSON.parse($(table.dataset.rows).textContent);
    return Array.from({ length: rows }, (_, row) => columns.map(({ texts, places }) => texts[places ? places[row] : row]));
  }
  function sortable(table) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], names = heads.map((head) => head.textContent);
    const all = rowsOf(table), sought = new Map(all.map((row) => [row, row.join(' ').toLowerCase()]));
    let sorted = all, list = all, shown = STEP;
    const node = (row) => el('tr', {}, row.map((text) => el('td', { class: text.length > 20 ? 'long' : asNumber(text) !== null ? 'nowrap' : null }, text)));
    function draw() {
      const rest = list.length - shown, more = (count) => () => { shown += count; draw(); };
      body.replaceChildren(...list.slice(0, shown).map(node));
      if (rest <= 0) return;
      const button = (count) => el('button', { type: 'button', class: 'button', onclick: more(count) }, `Show ${count === rest ? 'all' : counts.format(count)}`);
      body.append(el('tr', { class: 'rest' }, el('td', { colspan: names.length, class: 'empty' }, `${counts.format(rest)} more: `, rest > STEP ? [button(STEP), ' '] : null, button(rest))));
    }
    heads.forEach((head, k) => { head.dataset.text = names[k]; });
    heads.forEach((head, k) => head.replaceChildren(el('button', { type: 'button', onclick: () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      sorted = order(all, k, down);
      select();
    } }, names[k])));
    const count = el('span', { class: 'push', role: 'status' }, plural(all.length, 'row'));
    const search = el('input', { type: 'search', placeholder: 'Search this table …', 'aria-label': 'Search this table', oninput: () => select() });
    const kinds = [...new Set(all.map((row) => row[0]))], isNamed = names[0] === 'Contrast' && kinds.length > 1;
    const kind = el('select', { 'aria-label': names[0], onchange: () => select() }, el('option', { value: '' }, 'All contrasts'), kinds.map((name) => el('option', {}, name)));
    function select() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      list = sorted.filter((row) => (!kind.value || row[0] === kind.value) && words.every((word) => sought.get(row).includes(word)));
      count.textContent = list.length === all.length ? plural(all.length, 'row') : `${counts.format(list.length)} of ${plural(all.length, 'row')}`;
      shown = STEP;
      draw();
    }
    const save = el('button', { type: 'button', class: 'button', title: 'All rows that are chosen, in this order, whether shown yet or not', onclick: () => {
      const text = [names, ...list].map((row) => row.map((one) => one.replace(/\s+/g, ' ')).join('\t')).join('\n') + '\n';
      const link = el('a', { href: URL.createObjectURL(new Blob([text], { type: 'text/tab-separated-values' })), download: `${table.closest('section').querySelector('h2').id}.tsv` });
      link.click();
    } }, 'Save as TSV');
    if (all.length > 1) table.parentElement.before(el('div', { class: 'tools' }, isNamed ? kind : null, search, save, count));
    const after = table.dataset.rows && table.closest('section').querySelector('.after');
    if (after) { for (const part of after.querySelectorAll('span')) part.hidden = part.className === 'rest'; after.hidden = !after.querySelector('a'); }
    draw();
  }
  for (const table of document.querySelectorAll('.chapter table')) sortable(table);

  // ---- scatters of chapters: a point leads to the report of its participant
  function reachable(stage) {
    const spots = JSON.parse(stage.dataset.spots), image = stage.querySelector('img');
    const at = (event) => {
      const frame = image.getBoundingClientRect(), x = event.clientX - frame.left, y = event.clientY - frame.top;
      let best = null, least = 100;
      for (const spot of spots) { const d = (spot[0] * frame.width - x) ** 2 + (spot[1] * frame.height - y) ** 2; if (d < least) { least = d; best = spot; } }
      return best;
    };
    const link = (spot) => spot && links.get(spot[2]);
    image.addEventListener('mousemove', (event) => {
      const spot = at(event);
      image.style.cursor = link(spot) ? 'pointer' : '';
      tip(spot ? `${rowName([spot[2], spot[3]])}${link(spot) ? '' : ': there is no report'}` : '', event);
    });
    image.addEventListener('mouseleave', () => tip(''));
    image.addEventListener('click', (event) => visit(link(at(event)), event));
  }
  for (const stage of document.querySelectorAll('.stage[data-spots]')) reachable(stage);

  // ---- start
  function open(place) {
    const before = view.column && view.column.name;
    Object.assign(view, { session: place, shown: STEP, who: null });
    const groups = [...new Set(now().columns.map((c) => c.group))];
    $('group').replaceChildren(el('option', { value: '' }, 'All measures'), ...groups.map((g) => el('option', { value: g }, g)));
    $('people').replaceChildren(...now().people.map((p) => el('option', { value: `sub-${p.label}` })));
    $('thinned').hidden = !now().thinned;
    $('clear').hidden = true;
    const wanted = before || decodeURIComponent((location.hash.match(/^#m=(.*)$/) || [])[1] || '');
    view.column = now().columns.find((c) => c.name === wanted) || now().columns.find((c) => c.n > 0) || now().columns[0] || null;
    overview(); detail(); ranking(); gaps();
  }
  if (sessions.length > 1) {
    $('session-field').hidden = false;
    $('session').append(...sessions.map((s, k) => el('option', { value: k }, s.label || 'none')));
    $('session').addEventListener('change', (event) => open(Number(event.target.value)));
  }
  for (const id of ['search', 'group', 'only']) $(id).addEventListener('input', () => { view.shown = STEP; overview(); });
  $('list').addEventListener('scroll', () => {
    const { scrollTop, clientHeight, scrollHeight } = $('list');
    if ($('more') && scrollTop + clientHeight > scrollHeight - 200) grow();
  });
  $('more-people').addEventListener('click', () => { view.people += 50; ranking(); });
  $('clear').addEventListener('click', () => highlight(null));
  $('who').addEventListener('input', () => {
    const label = $('who').value.trim().replace(/^sub-/, ''), found = now().people.find((p) => p.label === label);
    if (found) highlight(found.id);
  });
  $('overview').addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { event.preventDefault(); step(event.key === 'ArrowDown' ? 1 : -1); }
  });
  const redraw = () => { grid(); detail(); };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  let resizing = 0;
  addEventListener('resize', () => { clearTimeout(resizing); resizing = setTimeout(grid, 150); });
  addEventListener('beforeprint', () => { view.shown = Math.max(view.shown, 400); overview(); });
  open(0); grid(); faults();
  document.documentElement.dataset.ready = 'true';
})();
