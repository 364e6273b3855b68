"""Is a smuggled adapter seen by exchanged pictures, and is an honest method left alone?"""
