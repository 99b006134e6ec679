using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Nbd;

/// <summary>What a client is told of what went wrong with the disk.</summary>
internal static class NbdErrors
{
    internal static NbdError Of(Exception exception) => exception switch
    {
        Qcow2Exception { Code: Qcow2ErrorCode.LimitExceeded } => NbdError.NoSpace, // The image cannot take more.
        Qcow2Exception => NbdError.InputOutput,
        IOException e when HostError.IsOfSpace(e.HResult) => NbdError.NoSpace,
        NotSupportedException or UnauthorizedAccessException => NbdError.NotPermitted,
        OutOfMemoryException => NbdError.NoMemory,
        _ => NbdError.InputOutput,
    };
}
