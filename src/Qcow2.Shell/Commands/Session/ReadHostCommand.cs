using System.Management.Automation;

namespace Qcow2.Shell.Commands.Session;

/// <summary>Read-Host: a line from the user, or a secret.</summary>
[Cmdlet(VerbsCommunications.Read, "Host")]
internal sealed class ReadHostCommand : PSCmdlet
{
    [Parameter(Position = 0, ValueFromRemainingArguments = true)]
    public object[] Prompt { get; set; } = [];

    [Parameter]
    public SwitchParameter AsSecureString { get; set; }

    [Parameter]
    public SwitchParameter MaskInput { get; set; }

    protected override void BeginProcessing()
    {
        if (Prompt.Length > 0)
        {
            Host.UI.Write(string.Join(' ', Prompt) + ": ");
        }

        WriteObject(AsSecureString ? Host.UI.ReadLineAsSecureString() : MaskInput ? Unmasked() : Host.UI.ReadLine());
    }

    private string Unmasked() => new PSCredential("user", Host.UI.ReadLineAsSecureString()).GetNetworkCredential().Password;
}
