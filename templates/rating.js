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

  function show() {
    for (const field of section.querySelectorAll('.rating')) {
      const known = kept.ratings[name(field)];
      for (const button of field.querySelectorAll('[data-rating]')) {
        button.setAttribute('aria-pressed', String(known?.rating === button.dataset.rating));
      }
    }
    const number = Object.keys(kept.ratings).length;
    count.textContent = `${number} image${number === 1 ? '' : 's'} rated${isKept ? '' : '; not kept by this browser: save before you leave'}`;
  }

  const name = field => `${participant} ${field.dataset.image}`;

  for (const field of section.querySelectorAll('.rating')) {
    const comment = field.querySelector('.comment');
    comment.value = kept.ratings[name(field)]?.comment || '';
    for (const button of field.querySelectorAll('[data-rating]')) {
      button.addEventListener('click', () => change(all => {
        if (all.ratings[name(field)]?.rating === button.dataset.rating) {
          delete all.ratings[name(field)]; // pressed again: taken back
          return;
        }
        all.ratings[name(field)] = {
          participant_id: participant, session_id: field.dataset.session, image: field.dataset.image,
          rating: button.dataset.rating, comment: comment.value, rater: rater.value, date: new Date().toISOString(),
        };
      }));
    }
    comment.addEventListener('change', () => change(all => {
      const known = all.ratings[name(field)];
      if (known) Object.assign(known, { comment: comment.value, date: new Date().toISOString() });
    }));
  }
  rater.value = kept.rater;
  rater.addEventListener('change', () => change(all => {
    all.rater = rater.value;
    for (const known of Object.values(all.ratings)) known.rater ||= rater.value;
  }));

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
