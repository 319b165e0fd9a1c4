// The project's object identifiers: 2.25 | the number of UUID 585968e8-63c7-4d93-9299-ea2a74d45ebf.
#include <string_view>

#include "agent/crypto/x509.h"

#define GKMPD_ARC "2.25.117436305831894638112395412370850340543"

namespace gkmpd::crypto {

std::string_view oid_permissions() { return GKMPD_ARC ".1"; }
std::string_view oid_eku_gkmp() { return GKMPD_ARC ".2"; }
std::string_view oid_group_token() { return GKMPD_ARC ".3"; }
std::string_view oid_command() { return GKMPD_ARC ".4"; }

}  // namespace gkmpd::crypto
