// Its executable is what is wanted: it starts the pwsh.dll that takes this one's place.
return;
