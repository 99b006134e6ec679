using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Repairs damaged QCOW2 disk images.</summary>
/// <remarks>
/// <para>
/// Repair-Qcow2Image checks an image, repairs it and checks it again, as <c>qemu-img check -r</c> does. It emits the verdict after the
/// repair, whose property <c>Before</c> is the verdict before it. An image that another program has open is refused.
/// </para>
/// <para>
/// <c>-Mode Leaks</c> gives space back that nothing refers to, and touches nothing else. <c>-Mode All</c> also corrects refcounts and
/// flags, makes the refcount structure anew where it cannot be used, and drops entries that lead nowhere: what they stood for reads as
/// zeros. Where more entries share a cluster or a table than its refcount can say, each gets a copy of its own, so that no disk shows
/// anything else. A snapshot table that cannot be used is written anew: what can be kept of a snapshot is kept, and one whose own table
/// lies nowhere is removed. Bitmaps that cannot be read, or were not saved when the image was last closed, are removed. The first
/// <c>Findings</c> of the result, with the severity <c>Information</c>, name what was removed or changed that way. It clears the marks of an image that was not closed well, or was found corrupt, if
/// nothing is wrong any more. It asks for confirmation unless <c>-Confirm:$false</c> is given.
/// </para>
/// <para>
/// What data can be saved is saved: nothing is freed that any entry may refer to, however damaged the entry is. What only a person
/// can decide, such as which of two uses of a table is right, is left as it is and stays in the verdict; where a write could then destroy
/// what something else needs, the image is marked corrupt, so that nobody writes to it. With LUKS, data cannot be copied without the
/// passphrase: <c>Convert-Qcow2Image</c> makes a sound copy. A repair may be
/// interrupted at any point, and run again. If the data matters, copy the file first: <c>-Mode All</c> decides things.
/// </para>
/// <para>
/// Images that were merely not closed well need no repair: they are repaired when they are opened for writing.
/// </para>
/// <para>
/// Only QCOW2 images are repaired. Of images in other formats <c>Convert-Qcow2Image -Salvage</c> makes a sound copy of what can be read.
/// </para>
/// </remarks>
/// <example>
/// <code>Repair-Qcow2Image web01.qcow2 -Mode Leaks</code>
/// <para>Gives leaked clusters back.</para>
/// </example>
/// <example>
/// <code>Repair-Qcow2Image web01.qcow2 -Mode All -WhatIf</code>
/// <para>Says what is wrong and would be repaired, and changes nothing.</para>
/// </example>
/// <example>
/// <code>$after = Repair-Qcow2Image web01.qcow2 -Mode All -Confirm:$false; $after.Before.Findings.Message</code>
/// <para>Repairs an image without asking, and shows what was wrong with it.</para>
/// </example>
/// <seealso cref="TestQcow2ImageCommand"/>
[Cmdlet(VerbsDiagnostic.Repair, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Qcow2CheckResult), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class RepairQcow2ImageCommand : ImageCmdlet
{
    private bool _yesToAll;
    private bool _noToAll;

    /// <summary>
    /// How far the repair may go: <c>Leaks</c> gives leaked clusters back, <c>All</c> repairs everything that can be repaired.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1)]
    public Qcow2RepairMode Mode { get; set; }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        DiskFormat format = DiskImageFormat.Qcow2.Known();
        if (DiskFormats.Recognize(image.Path).Mark is DiskFormat other && other != format)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.NotQcow2,
                $"{image.Path}: this is not a qcow2 image, but {other.Description}, which can be checked and read here, and not repaired. Convert-Qcow2Image -Salvage copies all of it that can be read into a new image.");
        }

        Qcow2CheckResult before = ImageCheck.Check(image.Location, format, Qcow2CheckOptions.Default, WriteProgress, StopToken);
        if (IsNothingToDo(before, Mode))
        {
            before.Before = before.Copy();
            WriteObject(before);
            return;
        }

        string action = $"Repair {(Mode == Qcow2RepairMode.All ? "all" : "leaks")}: {Describe(before)}";
        if (ShouldProcess(image.Path, action) && (Mode == Qcow2RepairMode.Leaks || ShouldRepairAll(image.Path, before)))
        {
            WriteObject(ImageCheck.Repair(image.Path, Mode, WriteProgress, StopToken));
        }
    }

    private static string Describe(Qcow2CheckResult result)
    {
        var parts = new List<string>();
        Add(result.Corruptions, "corruption", "corruptions");
        if (result.Leaks > 0)
        {
            Add(result.Leaks, "leaked cluster", "leaked clusters");
            parts[parts.Count - 1] += $" ({DisplayText.Size(result.LeakedBytes)})";
        }

        Add(result.CheckErrors, "thing that could not be checked", "things that could not be checked");
        Add(Count(result, Qcow2CheckFindingKind.BitmapInconsistent), "bitmap that was not saved", "bitmaps that were not saved");
        Add(result.Findings.Count(finding => finding.Severity == Qcow2CheckSeverity.Warning), "warning", "warnings");
        if (result.IsDirty)
        {
            parts.Add("marked as not closed well");
        }

        if (result.IsCorrupt)
        {
            parts.Add("marked as corrupt");
        }

        return string.Join(", ", parts);

        void Add(long count, string one, string many)
        {
            if (count > 0)
            {
                parts.Add($"{count} {(count == 1 ? one : many)}");
            }
        }
    }

    private static bool IsNothingToDo(Qcow2CheckResult result, Qcow2RepairMode mode)
        => result.Corruptions + result.Leaks + result.CheckErrors == 0 && !result.IsDirty && !result.IsCorrupt
            && (mode == Qcow2RepairMode.Leaks || (result.IsHealthy && Count(result, Qcow2CheckFindingKind.BitmapInconsistent) == 0));

    private static long Count(Qcow2CheckResult result, Qcow2CheckFindingKind kind) => result.Findings.Count(finding => finding.Kind == kind);

    private bool ShouldRepairAll(string path, Qcow2CheckResult before)
        => ShouldContinueAtHighImpact($"{path}: repair all? Found: {Describe(before)}. What leads nowhere will read as zeros.", "Repair the image", ref _yesToAll, ref _noToAll);
}
