using System.Globalization;
using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>Compares values as -lt and -eq do; what has no order of its own is compared as text; null comes first.</summary>
internal sealed class ValueComparer(bool caseSensitive) : IComparer<object?>
{
    public int Compare(object? x, object? y)
    {
        if (LanguagePrimitives.TryCompare(x, y, !caseSensitive, CultureInfo.CurrentCulture, out int order))
        {
            return order;
        }

        CompareOptions options = caseSensitive ? CompareOptions.None : CompareOptions.IgnoreCase;
        return CultureInfo.CurrentCulture.CompareInfo.Compare(
            LanguagePrimitives.ConvertTo<string>(x), LanguagePrimitives.ConvertTo<string>(y), options);
    }
}
