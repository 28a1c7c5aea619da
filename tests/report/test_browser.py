"""What is broken in a page is noticed."""
import pytest
from browser import check_page


def test_a_missing_picture_is_noticed(tmp_path):
    page = tmp_path / 'index.html'
    page.write_text('<html><body><img src="none.png"></body></html>')
    with pytest.raises(AssertionError, match=r'none\.png'):
        check_page(page, pictures=1)
    page.write_text('<html><body><script>undefinedThing()</script></body>'
                    '</html>')
    with pytest.raises(AssertionError, match='undefinedThing'):
        check_page(page, pictures=0)
    page.write_text('<html><body><pre>' + 'x' * 500 + '</pre></body></html>')
    with pytest.raises(AssertionError, match='wider than'):
        check_page(page, pictures=0)
