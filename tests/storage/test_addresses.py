from storage.addresses import public_address


def test_addresses_are_shown_without_the_password() -> None:
    assert public_address("https://finloop:p@ss@es.example:9243/x") == "https://es.example:9243/x"
    assert public_address("http://127.0.0.1:9200") == "http://127.0.0.1:9200"
