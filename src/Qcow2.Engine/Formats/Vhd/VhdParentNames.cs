using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Where a parent may lie, by what a child says.</summary>
/// <remarks>
/// The path from the child's folder comes first, because a pair that was moved together keeps it. Names are those of Windows; each is only
/// where to look: what tells the parent is its unique id.
/// </remarks>
internal static class VhdParentNames
{
    /// <summary>Names in the order in which to look.</summary>
    /// <param name="storage">The child.</param>
    /// <param name="header">Its header.</param>
    /// <param name="problems">Told of locators that cannot be read.</param>
    /// <param name="reserved">Told where locators lie.</param>
    internal static IReadOnlyList<string> Of(
        BlockStorage storage, VhdDynamicHeader header, ICollection<string> problems, ICollection<(DiskRange Range, string Name)> reserved)
    {
        var names = new List<string>();
        foreach (uint platform in (uint[])[VhdParentLocator.RelativeWindowsPath, VhdParentLocator.AbsoluteWindowsPath])
        {
            foreach (VhdParentLocator locator in header.Locators.Where(locator => locator.Platform == platform))
            {
                try
                {
                    Add(names, locator.ReadPath(storage));
                    if (locator.DataLength > 0)
                    {
                        reserved.Add((new DiskRange((long)locator.DataOffset, locator.DataLength), $"the parent locator {VhdText.Code(platform)}"));
                    }
                }
                catch (Qcow2Exception e)
                {
                    problems.Add(e.Message);
                }
            }
        }

        Add(names, header.ParentName);
        return names;
    }

    private static void Add(List<string> names, string name)
    {
        if (name.Length > 0 && !names.Contains(name))
        {
            names.Add(name);
        }
    }
}
