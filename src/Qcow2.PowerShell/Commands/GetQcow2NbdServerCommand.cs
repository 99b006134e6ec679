using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gets the servers that this PowerShell runs.</summary>
/// <remarks>
/// <para>
/// Get-Qcow2NbdServer emits the servers that <c>Start-Qcow2NbdServer</c> started in this process, in the order of their start, with the clients that they have now
/// and the bytes that these have read and written. A server that has stopped is not among them, unless it stopped by itself and the image could not be
/// closed: its <c>State</c> is <c>Failed</c> then, until <c>Stop-Qcow2NbdServer</c> says why.
/// </para>
/// </remarks>
/// <example>
/// <code>Get-Qcow2NbdServer</code>
/// <para>All servers.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2NbdServer web* | Where-Object Clients -eq 0 | Stop-Qcow2NbdServer</code>
/// <para>Stops those that have no clients.</para>
/// </example>
/// <seealso cref="StartQcow2NbdServerCommand"/>
/// <seealso cref="StopQcow2NbdServerCommand"/>
[Cmdlet(VerbsCommon.Get, "Qcow2NbdServer")]
[OutputType(typeof(Qcow2NbdServer))]
public sealed class GetQcow2NbdServerCommand : NbdServerCmdlet
{
    /// <summary>The names of the servers. Wildcards are permitted. By default all are emitted.</summary>
    /// <value>All servers</value>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(NbdServerNameCompleter))]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = ["*"];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (HostedNbdServer server in Find(Name))
        {
            WriteObject(server.Describe());
        }
    }
}
