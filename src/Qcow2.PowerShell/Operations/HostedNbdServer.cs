using Qcow2.Engine;
using Qcow2.Engine.Nbd;

namespace Qcow2.PowerShell.Operations;

/// <summary>A server with what a user knows it by.</summary>
/// <param name="server">The server.</param>
/// <param name="facts">What is said of it and does not change.</param>
/// <param name="runspaceId">Who started it.</param>
internal sealed class HostedNbdServer(NbdServer server, Qcow2NbdServer facts, Guid runspaceId)
{
    private bool _hasFailed;

    internal string Name => facts.Name;

    internal string Path => facts.Path;

    internal Guid RunspaceId => runspaceId;

    /// <summary>Whether it is over, and nothing is left to be told.</summary>
    internal bool HasEndedWell => server.HasEnded && !server.HasFailed && !_hasFailed;

    /// <summary>The server as it is now.</summary>
    internal Qcow2NbdServer Describe() => new()
    {
        Name = facts.Name,
        State = !server.HasEnded ? Qcow2NbdServerState.Running : server.HasFailed || _hasFailed ? Qcow2NbdServerState.Failed : Qcow2NbdServerState.Stopped,
        Uri = facts.Uri,
        Path = facts.Path,
        SnapshotId = facts.SnapshotId,
        SnapshotName = facts.SnapshotName,
        Size = facts.Size,
        IsWritable = facts.IsWritable,
        ExportName = facts.ExportName,
        BitmapNames = facts.BitmapNames,
        SocketPath = facts.SocketPath,
        Address = facts.Address,
        Port = facts.Port,
        CertificateThumbprint = facts.CertificateThumbprint,
        RequiresClientCertificate = facts.RequiresClientCertificate,
        Clients = server.ClientCount,
        BytesRead = server.BytesRead,
        BytesWritten = server.BytesWritten,
        StartTime = facts.StartTime,
        LastProblem = server.LastProblem,
    };

    /// <summary>Stops the server.</summary>
    /// <param name="grace">How long clients may take for what they have asked.</param>
    /// <param name="hurry">Cuts them off.</param>
    internal void Stop(TimeSpan grace, CancellationToken hurry)
    {
        try
        {
            server.Stop(grace, hurry);
        }
        catch
        {
            _hasFailed = true;
            throw;
        }
    }
}
