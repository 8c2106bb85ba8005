// The parts of a ContentUpdate that are values of the record.
#pragma once

#include "meta/types.h"

namespace firn::meta {

void apply_sizes(const ContentUpdate& update, Attr& attr);
void apply_times(const ContentUpdate& update, Attr& attr);

}  // namespace firn::meta
