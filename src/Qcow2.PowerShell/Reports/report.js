// Makes the headings of the table of images sort it. Without this script the report says the same.
(function () {
  'use strict';
  var table = document.getElementById('image-table');
  if (!table) {
    return;
  }

  var said = document.getElementById('sorted');
  var heads = Array.from(table.tHead.rows[0].cells);
  var body = table.tBodies[0];
  var collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

  function sort(head, column) {
    var isNumber = head.dataset.kind === 'number';
    var before = head.getAttribute('aria-sort');
    var isAscending = before ? before === 'descending' : !isNumber;
    var rows = Array.from(body.rows).map(function (row, place) {
      return { row: row, place: place, value: row.cells[column].dataset.value || '' };
    });
    rows.sort(function (a, b) {
      if (a.value === '' || b.value === '') {
        return (a.value === '') - (b.value === '') || a.place - b.place; // What is not known comes last.
      }

      var order = isNumber ? a.value - b.value : collator.compare(a.value, b.value);
      return (isAscending ? order : -order) || a.place - b.place;
    });
    body.append.apply(body, rows.map(function (item) { return item.row; }));
    heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
    head.setAttribute('aria-sort', isAscending ? 'ascending' : 'descending');
    said.textContent = 'Sorted by ' + head.textContent + ', ' + (isAscending ? 'smallest first.' : 'largest first.');
  }

  heads.forEach(function (head, column) {
    var button = document.createElement('button');
    button.type = 'button';
    button.append.apply(button, Array.from(head.childNodes));
    button.addEventListener('click', function () { sort(head, column); });
    head.append(button);
  });
})();
