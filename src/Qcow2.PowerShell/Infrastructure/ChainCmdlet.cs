using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that opens an image with its backing chain.</summary>
public abstract class ChainCmdlet : ReferenceCmdlet
{
    /// <summary>
    /// The format of backing files whose format the image does not record: <c>qcow2</c>, <c>raw</c>, <c>vhd</c>, <c>vhdx</c>, <c>vmdk</c>, <c>vdi</c>, <c>qcow</c>, <c>qed</c> or <c>parallels</c>. It is never guessed,
    /// because whoever wrote a raw disk could have made it look like another format. What an image records is not overridden.
    /// </summary>
    [Parameter]
    [ValidateSet("qcow2", "raw", "vhd", "vpc", "vhdx", "vmdk", "vdi", "qcow", "qed", "parallels")]
    public string? BackingFormat { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        BackingFormat = BackingFormat?.ToLowerInvariant(),
    };
}
