"""What headers say, as clients really write them."""

import pytest

from shared.mail.headers import Mailbox, mailboxes, without_encoded_words


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("=?utf-8?Q?Caf=C3=A9?= =?utf-8?Q?_noir?=", "Café noir"),
        ("=?utf-8?Q?Caf=C3?= =?utf-8?Q?=A9?=", "Café"),
        ("=?gb2312?B?ztK1xLY=?=\t=?gb2312?B?qbWl?=", "我的订单"),
        ("=?utf-8?Q?Caf=C3=A9?= =?iso-8859-1?Q?_=E9t=E9?=", "Café été"),
        ("=?utf-8?q?Un=C3=A9 phrase avec des espaces?=", "Uné phrase avec des espaces"),
        ("=?utf-8*fr?B?Q2Fmw6k?=", "Café"),
        ("=?iso-2022-jp?B?GyRCLSEbKEIgGyRCNF0/dDt6JUYlOSVIGyhC?=", "① 丸数字テスト"),
        ("Re: =?windows-1252?Q?5_=80?= (2)", "Re: 5 € (2)"),
        ("=?utf-8?x?none?= and =?", "=?utf-8?x?none?= and =?"),
        ("=?utf-8?b?=?=", ""),
    ],
)
def test_encoded_words_are_read_as_one(written: str, said: str) -> None:
    assert without_encoded_words(written) == said


@pytest.mark.parametrize(
    ("written", "boxes"),
    [
        ("ann@a.example (Ann Other)", [Mailbox("Ann Other", "ann@a.example")]),
        ("<ann@a.example> (=?utf-8?Q?Zo=C3=A9?=)", [Mailbox("Zoé", "ann@a.example")]),
        ("=?gb2312?B?ztK1xLY=?= =?gb2312?B?qbWl?= <a@b.ex>", [Mailbox("我的订单", "a@b.ex")]),
        ('"=?utf-8?Q?Zo=C3=A9, Shop?=" <a@b.ex>', [Mailbox("Zoé, Shop", "a@b.ex")]),
        ("Ann <a@b.ex> Bob <c@d.ex>", [Mailbox("Ann", "a@b.ex")]),
        ('"Ann <a@b.ex>', [Mailbox("", "a@b.ex")]),
        ("=?utf-8?Q?=3Cx=40y.ex=3E=2C?= <a@b.ex>", [Mailbox("<x@y.ex>,", "a@b.ex")]),
        ("ann(at)a.example", []),
    ],
)
def test_a_mailbox_has_its_name(written: str, boxes: list[Mailbox]) -> None:
    assert mailboxes(written) == boxes
