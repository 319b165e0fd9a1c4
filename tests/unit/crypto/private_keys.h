// A private key of each kind, and its octets.
#pragma once

#include <string_view>

#include "agent/crypto/signature.h"

namespace gkmpd::crypto {

struct KeyCase {
  KeyType type;
  std::string_view pem;
  std::string_view private_hex;
};

// Made by the openssl program, which also told the private octets.
inline constexpr KeyCase kCases[] = {
    {KeyType::kEcdsaP256,
     "-----BEGIN PRIVATE KEY-----\n"
     "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1Zuigo7CbIhC9Hjb\n"
     "9Loaj6VmijrniJB+iMCuYjWMlymhRANCAAQoPP+kSVSKcmq7PCpXURFL5nNqSbWl\n"
     "fViaU81g8V5wO35Ao4HtY6NlR26tMpDWSjcVaLSsoOvDkPZWZ6ekBSXZ\n"
     "-----END PRIVATE KEY-----\n",
     "d59ba2828ec26c8842f478dbf4ba1a8fa5668a3ae788907e88c0ae62358c9729"},
    {KeyType::kEcdsaP384,
     "-----BEGIN PRIVATE KEY-----\n"
     "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAW7sPJwUANTP7SOr3g\n"
     "xhz1E+Xxl9rQ+IYomBX2+w8INMfE8xg6v/lA+fz7GSKwINShZANiAAT8mH2uN0X2\n"
     "rcogaVSbQ/U2t/SW7gCVjPdjpVNjJjvFHy7JE3WMryI4EoGshfdeY/RlU3Mibf9j\n"
     "GgFfmBDbAVUHanpD1+RKrWhhuLK8h+bhnz72OgcEiA3mOhBVfmtsTYc=\n"
     "-----END PRIVATE KEY-----\n",
     "16eec3c9c1400d4cfed23abde0c61cf513e5f197dad0f886289815f6fb0f0834c7c4f3183abff940f9fcfb1922b02"
     "0d4"},
    {KeyType::kEd25519,
     "-----BEGIN PRIVATE KEY-----\n"
     "MC4CAQAwBQYDK2VwBCIEIGrAL4u/jHIEEb3vxVrztzb+WrbuWZu+US1JT4D7ja2Y\n"
     "-----END PRIVATE KEY-----\n",
     "6ac02f8bbf8c720411bdefc55af3b736fe5ab6ee599bbe512d494f80fb8dad98"},
};

}  // namespace gkmpd::crypto
