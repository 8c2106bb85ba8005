namespace firn {}
