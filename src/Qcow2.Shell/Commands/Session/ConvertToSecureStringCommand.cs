using System.Management.Automation;
using System.Security;
using Qcow2.Shell.Hosting;

namespace Qcow2.Shell.Commands.Session;

/// <summary>ConvertTo-SecureString: a passphrase as the parameters that take one want it.</summary>
[Cmdlet(VerbsData.ConvertTo, "SecureString")]
[OutputType(typeof(SecureString))]
internal sealed class ConvertToSecureStringCommand : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [AllowEmptyString]
    public string String { get; set; } = "";

    [Parameter(Mandatory = true, HelpMessage = "This shell converts plain text only, not the output of ConvertFrom-SecureString.")]
    public SwitchParameter AsPlainText { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override void ProcessRecord() => WriteObject(SecretReader.FromText(String));
}
