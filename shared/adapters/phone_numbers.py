"""Phone numbers by Google's libphonenumber."""

import phonenumbers


class LibPhoneNumber:
    def e164(self, value: str, region: str | None = None) -> str | None:
        try:
            number = phonenumbers.parse(value, region)
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_possible_number(number):
            return None
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
