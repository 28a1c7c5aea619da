"""What a real headless browser says of a page that is opened from disk."""
import html
import json
import re
import shutil
import subprocess

import pytest

PHONE = 390  # CSS pixels of a usual phone's width

#: Opens the page in a frame of a phone's width and writes down what is seen.
PROBE = """<!doctype html><body><script>
const frame = document.createElement('iframe');
frame.style = 'width: %dpx; height: 800px; border: 0';
frame.onload = () => setTimeout(() => {
  const page = frame.contentDocument;
  document.body.textContent = JSON.stringify({
    pictures: [...page.images].map(
      i => [i.getAttribute('src'), i.complete && i.naturalWidth > 0]),
    width: page.documentElement.scrollWidth,
    text: page.body.innerText,
  });
}, 500);
frame.src = %s;
document.body.append(frame);
</script></body>"""


def check_page(page, pictures):
    """Open a page in Chromium and look for what is broken.

    Args:
        page (Path): The file.
        pictures (int): Number of pictures that it shows.

    Returns:
        str: The page's text.
    """
    browser = shutil.which('chromium') or shutil.which('chromium-browser')
    if browser is None:
        pytest.skip('no Chromium on this machine: apt-get install chromium')
    probe = page.with_name('probe.html')
    probe.write_text(PROBE % (PHONE, json.dumps(page.name)))
    done = subprocess.run(
        [browser, '--headless', '--no-sandbox', '--disable-gpu',
         '--allow-file-access-from-files', '--enable-logging=stderr',
         '--virtual-time-budget=10000', '--window-size=800,1000',
         f'--user-data-dir={page.parent / "profile"}', '--dump-dom',
         probe.as_uri()],
        capture_output=True, text=True, timeout=120, check=True)
    shutil.rmtree(page.parent / 'profile', ignore_errors=True)
    probe.unlink()
    seen = json.loads(html.unescape(
        re.search(r'<body[^>]*>(.*)</body>', done.stdout, re.S)[1]))
    # Errors of scripts and files that are not there.
    said = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
    assert not said, said
    missing = [name for name, whole in seen['pictures'] if not whole]
    assert not missing, missing
    assert len(seen['pictures']) == pictures
    assert seen['width'] <= PHONE, (
        f'the page is {seen["width"]} pixels wide, wider than a phone')
    return seen['text']
