// Ratings of images: kept in this browser, saved as ratings.tsv. After individual.js.
(() => {
  const section = document.querySelector('#rating');
  if (!section) return;
  const COLUMNS = ['participant_id', 'session_id', 'image', 'rating', 'comment', 'rater', 'date'];
  // One list for all reports of a folder; other folders have lists of their own.
  const key = `mriderived-ratings:${location.pathname.replace(/[^/]*$/, '')}`;
  const rater = section.querySelector('#rater'), count = section.querySelector('#rating-count');
  const participant = section.dataset.participant;
  let isKept = true, kept = { rater: '', ratings: {} };
  try {
    kept = { ...kept, ...JSON.parse(localStorage.getItem(key) || '{}') };
  } catch {
    isKept = false; // a browser that keeps nothing: ratings last as long as the page
  }

  // Another page of this folder may have been rated in the meantime.
  function change(alter) {
    if (isKept) {
      try {
        kept = { ...kept, ...JSON.parse(localStorage.getItem(key) || '{}') };
      } catch {
        isKept = false;
      }
    }
    alter(kept);
    try {
      if (isKept) localStorage.setItem(key, JSON.stringify(kept));
    } catch {
      isKept = false;
    }
    show();
  }

  // Several people may rate in one browser: each sees what they said, the table has it all.
  let me = rater.value = kept.rater;
  const name = field => `${participant} ${field.dataset.image} ${me}`.trim();

  function show() {
    for (const field of section.querySelectorAll('.rating')) {
      const known = kept.ratings[name(field)], comment = field.querySelector('.comment');
      if (known && document.activeElement !== comment) comment.value = known.comment;
      for (const button of field.querySelectorAll('[data-rating]')) {
        button.setAttribute('aria-pressed', String(known?.rating === button.dataset.rating));
      }
    }
    const number = Object.values(kept.ratings).filter(one => one.rater === me).length;
    count.textContent = `${number} image${number === 1 ? '' : 's'} rated${isKept ? '' : '; not kept by this browser: save before you leave'}`;
  }

  for (const field of section.querySelectorAll('.rating')) {
    const comment = field.querySelector('.comment');
    for (const button of field.querySelectorAll('[data-rating]')) {
      button.addEventListener('click', () => change(all => {
        if (all.ratings[name(field)]?.rating === button.dataset.rating) {
          delete all.ratings[name(field)]; // pressed again: taken back
          return;
        }
        all.ratings[name(field)] = {
          participant_id: participant, session_id: field.dataset.session, image: field.dataset.image,
          rating: button.dataset.rating, comment: comment.value, rater: me, date: new Date().toISOString(),
        };
      }));
    }
    comment.addEventListener('change', () => change(all => {
      const known = all.ratings[name(field)];
      if (known) Object.assign(known, { comment: comment.value, date: new Date().toISOString() });
    }));
  }
  rater.addEventListener('change', () => {
    for (const field of section.querySelectorAll('.rating')) {
      if (kept.ratings[name(field)]) field.querySelector('.comment').value = '';
    }
    me = rater.value.trim();
    change(all => {
      all.rater = me;
      // What nobody had signed is theirs who sign now, unless they rated that image before.
      for (const [key, known] of Object.entries(all.ratings)) {
        if (known.rater) continue;
        delete all.ratings[key];
        all.ratings[`${key} ${me}`.trim()] ??= { ...known, rater: me };
      }
    });
  });

  const plain = text => String(text || '').replace(/\s+/g, ' ').trim() || 'n/a';
  function table() {
    const rows = Object.keys(kept.ratings).sort().map(one => kept.ratings[one]);
    return [COLUMNS, ...rows.map(row => COLUMNS.map(column => plain(row[column])))].map(cells => cells.join('\t')).join('\n') + '\n';
  }
  section.querySelector('#rating-download').addEventListener('click', () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([table()], { type: 'text/tab-separated-values' }));
    link.download = 'ratings.tsv';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  show();
})();
