using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>Measure-Object: count, sum, average and extremes of the objects or of a property.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "Object")]
internal sealed class MeasureObjectCommand : InputCommand
{
    private readonly List<Measurement> _results = [];
    private readonly ValueComparer _comparer = new(caseSensitive: false);
    private int _count;

    [Parameter]
    public SwitchParameter Sum { get; set; }

    [Parameter]
    public SwitchParameter Average { get; set; }

    [Parameter]
    public SwitchParameter Minimum { get; set; }

    [Parameter]
    public SwitchParameter Maximum { get; set; }

    private protected override void Process(PSObject item)
    {
        _count++;
        if (Selectors.Length == 0)
        {
            Add(null, item.BaseObject);
        }

        foreach ((string name, object? value) in Selectors.SelectMany(s => s.Select(item)))
        {
            if (value is not null)
            {
                Add(name, value);
            }
        }
    }

    protected override void EndProcessing()
    {
        if (_results.Count == 0 && _count == 0)
        {
            _results.Add(new Measurement { Sum = Sum ? 0 : null });
        }

        foreach (Measurement result in _results)
        {
            result.Average = Average ? result.Sum / result.Count : null;
            result.Sum = Sum ? result.Sum : null;
            WriteObject(result.ToObject());
        }
    }

    private void Add(string? property, object value)
    {
        Measurement result = _results.Find(r => string.Equals(r.Property, property, StringComparison.OrdinalIgnoreCase)) ?? New(property);
        result.Count++;
        object plain = value is PSObject wrapped ? wrapped.BaseObject : value;
        if (Sum || Average)
        {
            result.Sum = (result.Sum ?? 0) + Number(plain);
        }

        if (Minimum && (result.Minimum is null || _comparer.Compare(plain, result.Minimum) < 0))
        {
            result.Minimum = plain;
        }

        if (Maximum && (result.Maximum is null || _comparer.Compare(plain, result.Maximum) > 0))
        {
            result.Maximum = plain;
        }
    }

    private Measurement New(string? property)
    {
        Measurement result = new() { Property = property };
        _results.Add(result);
        return result;
    }

    private double Number(object value)
    {
        if (LanguagePrimitives.TryConvertTo(value, out double number))
        {
            return number;
        }

        PSArgumentException reason = new($"Input object \"{value}\" is not numeric.");
        WriteError(new ErrorRecord(reason, "NonNumericInputObject", ErrorCategory.InvalidType, value));
        return 0;
    }
}
