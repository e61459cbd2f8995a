"""What all tests share: signatures are verified as an installation without extras does it."""

from cards import statements

statements.ENGINE = "cryptography"  # PyNaCl is here as an oracle, and would be taken for the extra `fast`
