"""Operations that remove spatial information, and the surgery that puts them into networks."""
