namespace Qcow2.Shell.Commands.Output;

/// <summary>What Write-Error reports when it has only a message.</summary>
internal sealed class WriteErrorException(string message) : Exception(message);
