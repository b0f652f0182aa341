'use strict';
(() => {
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Table of measures -----------------------------------------------------------------------------
  const PAGE = 100;
  const data = JSON.parse(find('#measure-data').textContent);
  const table = find('#measure-table');
  if (table) browseMeasures();

  function browseMeasures() {
    const severalImages = Boolean(find('[data-key=image]', table));
    const rows = data.rows.map(([source, region, column, raw, text, reason], order) => {
      const from = data.sources[source], about = data.columns[column];
      return {
        order, region, raw, text, reason, column: about.title, name: about.name, unit: about.unit, rawUnit: about.rawUnit, description: about.description,
        source: from.title, image: from.image, value: Number(raw),
        // of a table's title only the atlas counts: "volume" should find columns, not every title with that word
        haystack: [region, about.name, about.title, from.title.split(' · ').pop(), from.image].join(' ').toLowerCase(),
      };
    });
    const body = find('tbody', table), count = find('#measure-count'), more = find('#measure-more');
    const search = find('#measure-search'), source = find('#measure-source'), image = find('#measure-image');
    let matching = rows, shown = 0, sorted = { key: null, sign: 1 };
    fill(source, rows.map(row => row.source));
    fill(image, rows.map(row => row.image));

    function fill(select, names) {
      for (const name of new Set(names)) select.add(new Option(name, name));
    }

    function apply() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      matching = rows.filter(row =>
        (!source.value || row.source === source.value) && (!image.value || row.image === image.value) &&
        words.every(word => row.haystack.includes(word)));
      if (sorted.key) matching.sort(compare);
      body.replaceChildren();
      shown = 0;
      show();
    }

    function compare(one, other) {
      if (sorted.key === 'value') {
        const missing = Number.isNaN(one.value) - Number.isNaN(other.value);
        return missing || sorted.sign * (one.value - other.value || 0) || one.order - other.order;
      }
      return sorted.sign * one[sorted.key].localeCompare(other[sorted.key], 'en', { numeric: true }) || one.order - other.order;
    }

    function show(number = PAGE) {
      const fragment = document.createDocumentFragment();
      for (const row of matching.slice(shown, shown + number)) fragment.append(draw(row));
      body.append(fragment);
      shown = Math.min(shown + number, matching.length);
      more.hidden = shown >= matching.length;
      more.textContent = `Show ${Math.min(5 * PAGE, matching.length - shown)} more`;
      count.textContent = matching.length === rows.length ? `${rows.length} values` : `${matching.length} of ${rows.length} values`;
    }

    function draw(row) {
      const line = document.createElement('tr');
      cell(line, row.region || 'whole image', row.region ? '' : 'soft');
      cell(line, row.column).title = row.column === row.name ? row.description : `${row.name}: ${row.description}`;
      const value = cell(line, row.text, row.raw === 'n/a' ? 'number missing' : 'number');
      value.title = row.reason || [row.raw, row.rawUnit].filter(Boolean).join(' ');
      cell(line, row.unit, 'soft');
      cell(line, row.source, 'soft');
      if (severalImages) cell(line, row.image, 'soft');
      return line;
    }

    function cell(line, text, kind = '') {
      const made = line.insertCell();
      made.textContent = text;
      made.className = kind;
      return made;
    }

    let waiting;
    search.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(apply, 60); });
    source.addEventListener('change', apply);
    image.addEventListener('change', apply);
    more.addEventListener('click', () => show(5 * PAGE));
    for (const button of all('thead button', table)) {
      button.addEventListener('click', () => {
        sorted = { key: button.dataset.key, sign: sorted.key === button.dataset.key ? -sorted.sign : 1 };
        for (const head of all('th', table)) head.setAttribute('aria-sort', 'none');
        button.closest('th').setAttribute('aria-sort', sorted.sign > 0 ? 'ascending' : 'descending');
        apply();
      });
    }
    find('#measure-download').addEventListener('click', () => {
      const plain = text => String(text || 'n/a').replace(/\s+/g, ' ');
      const lines = matching.map(row =>
        [row.image, row.source, row.region, row.name, row.raw, row.rawUnit, row.reason].map(plain).join('\t'));
      const text = ['image\ttable\tregion\tmeasure\tvalue\tunit\tmissing_reason', ...lines, ''].join('\n');
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([text], { type: 'text/tab-separated-values' }));
      link.download = `${document.title.split(' ')[0]}_measures.tsv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    addEventListener('beforeprint', () => show(400));
    apply();
  }

  // Quality metrics -------------------------------------------------------------------------------
  find('#quality-search')?.addEventListener('input', event => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const line of all('#quality-table tbody tr')) {
      const text = line.textContent.toLowerCase();
      line.hidden = !words.every(word => text.includes(word));
    }
  });

  // Flicker ---------------------------------------------------------------------------------------
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  for (const figure of all('.flicker')) {
    const buttons = all('[data-show]', figure);
    const show = which => {
      figure.classList.toggle('playing', which === 'play');
      if (which !== 'play') figure.dataset.shown = which;
      for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset.show === which));
    };
    for (const button of buttons) button.addEventListener('click', () => show(button.dataset.show));
    if (calm) {
      find('[data-show=play]', figure).hidden = true;
      show('participant');
    }
  }

  // Enlarged pictures -----------------------------------------------------------------------------
  const dialog = find('dialog.zoom');
  for (const stage of all('.stage')) {
    stage.addEventListener('click', () => {
      const shown = stage.closest('.flicker')?.dataset.shown === 'reference' ? 1 : 0;
      const picture = all('img', stage)[shown], enlarged = find('img', dialog);
      enlarged.src = picture.src;
      enlarged.alt = picture.alt;
      enlarged.className = stage.classList.contains('light') ? 'light' : '';
      dialog.showModal();
    });
  }
  dialog.addEventListener('click', () => dialog.close());

  // Methods ---------------------------------------------------------------------------------------
  const tabs = all('[role=tab]');
  const choose = tab => {
    for (const other of tabs) {
      other.setAttribute('aria-selected', String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
      find(`#${other.getAttribute('aria-controls')}`).hidden = other !== tab;
    }
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener('click', () => choose(tab));
    tab.addEventListener('keydown', event => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  });
  find('#methods-copy').addEventListener('click', async () => {
    const panel = all('[role=tabpanel]').find(one => !one.hidden);
    const done = find('#methods-copied');
    try {
      await navigator.clipboard.writeText(panel.innerText.trim());
      done.textContent = 'Copied';
    } catch {
      // without permission for the clipboard, select the text so that Ctrl+C does it
      getSelection().selectAllChildren(panel);
      done.textContent = 'Selected: press Ctrl+C';
    }
  });

  // Where the reader is ---------------------------------------------------------------------------
  const links = all('.side a[href^="#"]');
  const targets = links.map(link => document.getElementById(link.hash.slice(1)));
  const mark = () => {
    const line = innerHeight * 0.25;
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 4;
    let current = 0;
    targets.forEach((target, place) => { if (atEnd || target.getBoundingClientRect().top <= line) current = place; });
    links.forEach((link, place) => {
      if (place === current) link.setAttribute('aria-current', 'true'); else link.removeAttribute('aria-current');
    });
  };
  let scheduled = false;
  addEventListener('scroll', () => {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => { scheduled = false; mark(); });
  }, { passive: true });
  mark();
})();
