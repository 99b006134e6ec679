using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Operations;

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

    /// <summary>
    /// Files among which the parent of a differencing VDI (VirtualBox) is looked for: the file has the id of its parent and does not say where that is. Name all files of
    /// the chain, in any order, or more; wildcards are permitted, and what has the id that the child recorded is its parent. <c>VBoxManage list hdds</c> says which file that is.
    /// Other formats name their parents.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [PathText(HasWildcards = true, TakesImage = true)]
    public string[]? SourceParentPath { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        BackingFormat = BackingFormat?.ToLowerInvariant(),
        ParentPaths = ParentPaths,
    };

    /// <summary>Full paths of <see cref="SourceParentPath"/>.</summary>
    private protected IReadOnlyList<string> ParentPaths => SourceParentPath is null ? [] : [.. SourceParentPath.SelectMany(Resolver.Wildcard).Distinct(DestinationFile.PathComparer)];
}
